//! What was said, out of the forms that transcriptions come in: plain text, WebVTT, SRT, JSON with segments.

use serde_json::Value;

use crate::handler::Failure;

/// A piece of speech, and when it was said, in seconds, where that is known.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) start: Option<f64>,
    pub(super) end: Option<f64>,
}

/// A transcription, read.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Spoken {
    pub(super) format: &'static str,
    pub(super) lines: Vec<Line>,
}

impl Spoken {
    /// All of it, one line a piece.
    pub(super) fn whole(&self) -> String {
        self.lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
    }
}

/// Reads a transcription; what is none of the other forms is plain text.
pub(super) fn read(text: &str) -> Result<Spoken, Failure> {
    // PostgreSQL stores no NUL, and no transcription means one.
    let text = text.trim_start_matches('\u{feff}').replace('\0', "");
    let (format, lines) = if text.starts_with("WEBVTT") {
        ("vtt", cues(&text))
    } else if text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<Value>(&text).is_ok() {
        ("json", segments(&text))
    } else if text.lines().take(3).any(|line| span(line).is_some()) {
        ("srt", cues(&text))
    } else {
        ("plain", text.split("\n\n").filter_map(|paragraph| line(paragraph, None, None)).collect())
    };
    if lines.is_empty() {
        return Err(Failure::permanent("transcription_unreadable", "there is no text in the transcription"));
    }
    Ok(Spoken { format, lines })
}

fn line(text: &str, start: Option<f64>, end: Option<f64>) -> Option<Line> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(Line { text, start, end })
}

/// Blocks with a line `00:01.000 --> 00:02.500`; what stands before it in a block is a name or number.
fn cues(text: &str) -> Vec<Line> {
    let text = text.replace("\r\n", "\n");
    let cue = |block: &str| {
        let mut rows = block.lines();
        let (start, end) = rows.find_map(span)?;
        line(&rows.map(untagged).collect::<Vec<_>>().join(" "), Some(start), Some(end))
    };
    text.split("\n\n").filter_map(cue).collect()
}

fn span(row: &str) -> Option<(f64, f64)> {
    let (start, end) = row.split_once("-->")?;
    Some((clock(start.trim())?, clock(end.split_whitespace().next()?)?))
}

/// `01:02:03.400`, `02:03.400`, or with a comma.
fn clock(text: &str) -> Option<f64> {
    let text = text.replace(',', ".");
    let mut seconds = 0.0;
    for part in text.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok().filter(|part| part.is_finite() && *part >= 0.0)?;
    }
    Some(seconds)
}

/// Without `<v Jane>` and `<i>`.
fn untagged(row: &str) -> String {
    let mut text = String::with_capacity(row.len());
    let mut within = false;
    for c in row.chars() {
        match c {
            '<' => within = true,
            '>' if within => within = false,
            c if !within => text.push(c),
            _ => {}
        }
    }
    text
}

/// `{"segments": [{"start", "end", "text"}]}` (Whisper and its kin), the list alone, else `{"text"}` or `{"transcript"}`.
fn segments(text: &str) -> Vec<Line> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let list = ["segments", "utterances", "cues"].iter().find_map(|name| value.get(name)?.as_array());
    if let Some(list) = list.or(value.as_array()) {
        let segment = |segment: &Value| {
            let seconds = |name: &str| segment.get(name).and_then(Value::as_f64);
            line(segment.get("text")?.as_str()?, seconds("start"), seconds("end"))
        };
        return list.iter().filter_map(segment).collect();
    }
    let whole = ["text", "transcript"].iter().find_map(|name| value.get(name)?.as_str());
    whole.into_iter().flat_map(|whole| whole.split("\n\n")).filter_map(|part| line(part, None, None)).collect()
}
