//! Cuts a transcription into passages: long enough to mean something, short enough to be found and embedded.
//!
//! Pure. Never cuts within a word.

use super::text::Line;

/// Characters of a passage, about: some 250 words of English, well within every embedding model's input.
const LENGTH: usize = 1200;

/// A passage.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Passage {
    pub(super) text: String,
    pub(super) start: Option<f64>,
    pub(super) end: Option<f64>,
}

/// Lines gathered up to the length; a line that is longer is cut at its sentences, else at its words.
pub(super) fn cut(lines: &[Line]) -> Vec<Passage> {
    let mut passages: Vec<Passage> = Vec::new();
    let mut open = false;
    for line in lines {
        for piece in pieces(&line.text) {
            match passages.last_mut().filter(|last| open && last.text.len() + piece.len() < LENGTH) {
                Some(last) => {
                    last.text.push(' ');
                    last.text.push_str(piece);
                    last.end = line.end.or(last.end);
                }
                None => passages.push(Passage { text: piece.to_owned(), start: line.start, end: line.end }),
            }
            open = true;
        }
    }
    passages
}

fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > LENGTH {
        let most = rest.floor_char_boundary(LENGTH);
        let (head, _) = rest.split_at(most);
        let sentence = head.rfind(['.', '?', '!']).map(|at| at + 1).filter(|at| *at > LENGTH / 3);
        let word = || head.rfind(' ').filter(|at| *at > 0);
        let (piece, after) = rest.split_at(sentence.or_else(word).unwrap_or(most));
        pieces.push(piece.trim());
        rest = after.trim_start();
    }
    pieces.push(rest.trim());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}
