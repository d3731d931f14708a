//! What the documents tell an operator to type exists, with every option.

use std::{collections::BTreeMap, process::Command};

use lychgate_tests::Program;

use super::{files, read};

/// The command lines of a document: what stands in fenced blocks and in backquotes and begins with one of ours.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let fenced = text.split("```").skip(1).step_by(2).flat_map(str::lines).map(str::to_owned);
    let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let started = text.split("ExecStart=/usr/local/bin/").skip(1).map(|rest| rest.lines().next().unwrap().to_owned());
    let all = fenced.chain(quoted).chain(started);
    all.map(|line| line.trim().trim_start_matches("target/release/").to_owned())
        .filter(|line| line.starts_with("lychgate "))
        .collect()
}

/// The manual of a command, by its words.
fn help(known: &mut BTreeMap<Vec<String>, Option<String>>, words: &[String]) -> Option<String> {
    let asked = known.entry(words.to_vec()).or_insert_with(|| {
        let mut command: Command = Program::Lychgate.command();
        let output = command.args(words).arg("--help").output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    });
    asked.clone()
}

/// Whether a manual lists a word among its commands.
fn has_command(help: &str, word: &str) -> bool {
    let commands = help.split("Commands:").nth(1).unwrap_or_default();
    commands.lines().any(|line| line.starts_with("  ") && line.split_whitespace().next() == Some(word))
}

#[test]
fn every_command_of_the_documents_can_be_typed() {
    let mut known = BTreeMap::new();
    let mut documents = files("deploy", ".md");
    documents.extend(files("deploy/systemd", ".service"));
    documents.push(("README.md".to_owned(), read("README.md")));
    let mut typed = 0;
    for (document, text) in documents {
        for line in lines(&text) {
            typed += 1;
            let mut path = Vec::new();
            let mut manual = help(&mut known, &path).unwrap();
            let mut rest = line.split_whitespace().skip(1).peekable();
            while let Some(word) = rest.next_if(|word| has_command(&manual, word)) {
                path.push(word.to_owned());
                manual = help(&mut known, &path).unwrap();
            }
            assert!(!path.is_empty() || rest.peek().is_none_or(|word| word.starts_with('-')), "{document}: {line}");
            if let Some(next) = rest.peek().filter(|_| manual.contains("Commands:")) {
                assert!(next.starts_with(['-', '…']), "{document}: `{line}` has no command `{next}`");
            }
            let options = rest.take_while(|word| !matches!(*word, "|" | "#" | "&&" | ";" | ">"));
            for option in options.filter(|word| word.starts_with("--")) {
                let name = option.split('=').next().unwrap().trim_end_matches([',', '.', ')', ']']);
                let listed = manual
                    .split(|c: char| c.is_whitespace() || c == ',')
                    .any(|word| word.trim_end_matches("...") == name);
                assert!(listed, "{document}: `{line}`: no option {name}");
            }
        }
    }
    assert!(typed >= 30, "{typed} lines are few: are they still found?");
}
