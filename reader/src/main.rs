//! Reads Python modules from standard input and says what they import and name.
//!
//!     twofold-reader WORD ... < MODULES
//!
//! A module comes as its length in decimal digits, a line end and its bytes. The answer is a JSON
//! list with one part for each, in their order: null where the reader cannot say that the syntax
//! is right, else a list: places (first byte, end) that the compiler must judge alone, 1 where one
//! of the words is in the module, and, where a tree would not show more: the Python that the syntax
//! needs, the imports, those in functions, the names, further names, `__all__`, the version and what
//! is assigned to attributes of others.

#![forbid(unsafe_code)]

mod arguments;
mod assignments;
mod collections;
mod compound;
mod expressions;
mod facts;
mod imports;
mod lexer;
mod literals;
mod scopes;
mod simple;
mod statements;
mod strings;
mod texts;

use std::io::{self, BufRead, Read, Write};
use std::sync::mpsc::{channel, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;

use texts::Needles;

/// Nested code is read by nested calls.
const STACK_BYTES: usize = 64 << 20;
const MAX_WORKERS: usize = 8;

type Task = (usize, Vec<u8>);

fn main() -> io::Result<()> {
    let words = std::env::args().skip(1).map(String::into_bytes).filter(|word| word.len() > 1);
    let needles = Arc::new(Needles::new(words.collect()));
    let answers = Arc::new(Mutex::new(Vec::new()));
    let (sender, receiver) = channel::<Task>();
    let receiver = Arc::new(Mutex::new(receiver));
    let workers = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_WORKERS));
    let mut threads = Vec::new();
    for _ in 0..workers {
        let (needles, answers) = (Arc::clone(&needles), Arc::clone(&answers));
        let receiver = Arc::clone(&receiver);
        let work = move || read_all(&needles, &receiver, &answers);
        threads.push(thread::Builder::new().stack_size(STACK_BYTES).spawn(work)?);
    }
    let mut input = io::stdin().lock();
    let mut count = 0;
    while let Some(text) = read_frame(&mut input)? {
        if sender.send((count, text)).is_err() {
            break;
        }
        count += 1;
    }
    drop(sender);
    for thread in threads {
        if thread.join().is_err() {
            return Err(io::Error::new(io::ErrorKind::Other, "a worker has failed"));
        }
    }
    let mut answers = answers.lock().map_err(|_| io::ErrorKind::Other)?;
    answers.sort_by_key(|(number, _): &(usize, String)| *number);
    let texts: Vec<&str> = answers.iter().map(|(_, text)| text.as_str()).collect();
    writeln!(io::stdout().lock(), "[{}]", texts.join(",\n"))
}

fn read_frame(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let length = line.trim_end().parse().map_err(|_| io::ErrorKind::InvalidData)?;
    let mut text = Vec::new();
    if input.take(length).read_to_end(&mut text)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(text))
}

fn read_all(
    needles: &Needles,
    receiver: &Mutex<Receiver<Task>>,
    answers: &Mutex<Vec<(usize, String)>>,
) {
    let mut own = Vec::new();
    loop {
        let task = match receiver.lock() {
            Ok(tasks) => tasks.recv(),
            Err(_) => break,
        };
        let Ok((number, text)) = task else { break };
        own.push((number, answer(&text, needles)));
    }
    if let Ok(mut all) = answers.lock() {
        all.append(&mut own);
    }
}

fn answer(text: &[u8], needles: &Needles) -> String {
    let mut out = String::new();
    if is_utf8_module(text) {
        if let Ok(facts) = statements::read_module(text) {
            facts.write(text, needles.are_in(text), &mut out);
            return out;
        }
    }
    out.push_str("null");
    out
}

/// Whether a module is in UTF-8 and says nothing else.
fn is_utf8_module(text: &[u8]) -> bool {
    if text.contains(&0) || std::str::from_utf8(text).is_err() {
        return false;
    }
    text.split(|byte| *byte == b'\n').take(2).all(declares_utf8)
}

/// Whether no declaration of an encoding (PEP 263) in a line may be another one's.
fn declares_utf8(line: &[u8]) -> bool {
    const WORD: &[u8] = b"coding";
    (0..line.len().saturating_sub(WORD.len())).all(|at| {
        let rest = &line[at..];
        if !rest.starts_with(WORD) || !matches!(rest[WORD.len()], b':' | b'=') {
            return true;
        }
        let name = rest[WORD.len() + 1..].iter().skip_while(|byte| matches!(byte, b' ' | b'\t'));
        let name: Vec<u8> = name.take(6).copied().collect();
        let is_end =
            |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_' | b'.');
        name.starts_with(b"utf-8") && name.get(5).map_or(true, is_end)
    })
}
