//! Searches in text, and the values of `__all__` and `__version__`.

/// A list of strings that a value is; `Unsure` where only Python can say.
pub enum Strings<'a> {
    Known(Vec<&'a [u8]>),
    Computed,
    Unsure,
}

/// How `__all__` is changed: `=`, `+` or `-`, and by what.
pub type Change<'a> = (u8, Strings<'a>);

/// Whether a word, which is not empty, is in a text.
pub fn contains(text: &[u8], word: &[u8]) -> bool {
    let Some((first, rest)) = word.split_first() else {
        return true;
    };
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|byte| byte == first) {
        at += found + 1;
        if text[at..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// Whether a name is in a text, and not only as a part of another.
pub fn contains_word(text: &[u8], name: &[u8]) -> bool {
    let is_part = |byte: Option<&u8>| {
        byte.map_or(false, |byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80)
    };
    text.windows(name.len()).enumerate().any(|(at, part)| {
        part == name
            && !is_part(text.get(at + name.len()))
            && !is_part(at.checked_sub(1).and_then(|before| text.get(before)))
    })
}

/// Whether a text is names in ASCII with dots between them.
pub fn is_dotted_name(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'.').all(|part| {
        part.first().map_or(false, |byte| !byte.is_ascii_digit())
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    })
}

/// Words that are searched all at once, by the first two bytes of each.
pub struct Needles {
    words: Vec<Vec<u8>>,
    begins: Vec<bool>,
}

impl Needles {
    /// `words` have two bytes at least.
    pub fn new(words: Vec<Vec<u8>>) -> Self {
        let mut begins = vec![false; 1 << 16];
        for word in &words {
            begins[usize::from(word[0]) << 8 | usize::from(word[1])] = true;
        }
        Needles { words, begins }
    }

    /// Whether one of the words is in a text.
    pub fn are_in(&self, text: &[u8]) -> bool {
        text.windows(2).enumerate().any(|(at, pair)| {
            self.begins[usize::from(pair[0]) << 8 | usize::from(pair[1])]
                && self.words.iter().any(|word| text[at..].starts_with(word))
        })
    }
}

/// The value of one plain string; None where it takes more to read it.
pub fn text_of(text: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan { text, at: 0 };
    match (scan.next(), scan.next()) {
        (Part::Text(value), Part::End) => Some(value),
        _ => None,
    }
}

/// The strings of a list, a tuple, a set, or a sum of them.
pub fn strings_of(text: &[u8]) -> Strings<'_> {
    let mut scan = Scan { text, at: 0 };
    let mut words = Vec::new();
    let start = scan.at;
    let outcome = match scan.next() {
        Part::Text(_) => {
            scan.at = start;
            scan.items(0, &mut words)
                .and_then(|commas| if commas > 0 { Ok(()) } else { Err(false) })
        }
        Part::Unsure => Err(true),
        _ => {
            scan.at = start;
            scan.sum(&mut words).and_then(|_| match scan.next() {
                Part::End => Ok(()),
                _ => Err(false),
            })
        }
    };
    match outcome {
        Ok(()) => Strings::Known(words),
        Err(false) => Strings::Computed,
        Err(true) => Strings::Unsure,
    }
}

/// What an expression that begins with `__all__` does to it; None for nothing.
pub fn exported_change(text: &[u8]) -> Option<Change<'_>> {
    let rest = &text[b"__all__".len()..];
    if !contains(rest, b"(") || rest.first().map_or(false, |byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let unsure = Some((b'+', Strings::Unsure));
    let verb_length = rest.iter().skip(1).take_while(|byte| byte.is_ascii_lowercase()).count();
    let (verb, call) = rest.split_at(1 + verb_length);
    if !call.starts_with(b"(") || !call.ends_with(b")") {
        return unsure;
    }
    let value = &call[1..call.len() - 1];
    match verb {
        b".sort" | b".reverse" if value.is_empty() => None,
        b".extend" => match strings_of(value) {
            Strings::Computed if contains(value, b",") || contains(value, b"=") => unsure,
            _ if last_byte(value) == Some(&b',') => unsure,
            strings => Some((b'+', strings)),
        },
        b".append" | b".remove" => match text_of(value) {
            Some(word) => Some((if verb == b".remove" { b'-' } else { b'+' }, known(word))),
            None => unsure,
        },
        _ => unsure,
    }
}

fn known(word: &[u8]) -> Strings<'_> {
    Strings::Known(vec![word])
}

fn last_byte(text: &[u8]) -> Option<&u8> {
    text.iter().rev().find(|byte| !byte.is_ascii_whitespace())
}

enum Part<'a> {
    Text(&'a [u8]),
    /// A string that is no plain one.
    Unsure,
    Byte(u8),
    End,
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Part<'a> {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\n' | b'\r' | b'\\' | b'\x0c' => self.at += 1,
                b'#' => {
                    while !matches!(self.peek(0), b'\n' | 0) {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
        let prefix = match self.peek(0) | 0x20 {
            b'u' | b'r' if matches!(self.peek(1), b'"' | b'\'') => 1,
            _ => 0,
        };
        let is_raw = prefix > 0 && self.peek(0) | 0x20 == b'r';
        let quote = self.peek(prefix);
        if self.at >= self.text.len() {
            return Part::End;
        }
        if !matches!(quote, b'"' | b'\'') {
            self.at += 1;
            return Part::Byte(self.text[self.at - 1]);
        }
        self.at += prefix;
        let is_long = self.peek(1) == quote && self.peek(2) == quote;
        let width = if is_long { 3 } else { 1 };
        self.at += width;
        let start = self.at;
        while self.at < self.text.len() {
            let byte = self.peek(0);
            if (byte == b'\\' && !is_raw) || matches!(byte, b'\r' | b'\n') {
                return Part::Unsure;
            }
            if byte == b'\\' {
                self.at += 1;
            }
            let is_end =
                byte == quote && (!is_long || (self.peek(1) == quote && self.peek(2) == quote));
            if is_end {
                let value = &self.text[start..self.at];
                self.at += width;
                return Part::Text(value);
            }
            self.at += 1;
        }
        Part::Unsure
    }

    /// Lists of strings with `+` between them; `Err` says whether it is only this reader's doubt.
    fn sum(&mut self, words: &mut Vec<&'a [u8]>) -> Result<(), bool> {
        loop {
            match self.next() {
                Part::Byte(b'[') => self.items(b']', words).map(|_| ())?,
                Part::Byte(b'{') => {
                    let count = words.len();
                    self.items(b'}', words)?;
                    if words.len() == count {
                        return Err(false); // a dictionary
                    }
                }
                Part::Byte(b'(') => self.group(words)?,
                Part::Unsure => return Err(true),
                _ => return Err(false),
            }
            let place = self.at;
            if !matches!(self.next(), Part::Byte(b'+')) {
                self.at = place;
                return Ok(());
            }
        }
    }

    fn group(&mut self, words: &mut Vec<&'a [u8]>) -> Result<(), bool> {
        let place = self.at;
        if let Part::Byte(b'[' | b'{' | b'(') = self.next() {
            self.at = place;
            self.sum(words)?;
            return if matches!(self.next(), Part::Byte(b')')) { Ok(()) } else { Err(true) };
        }
        self.at = place;
        let count = words.len();
        let commas = self.items(b')', words)?;
        if commas == 0 && words.len() > count {
            Err(false)
        } else {
            Ok(())
        }
    }

    /// Strings up to a bracket (0: up to the end); returns how many commas there were.
    fn items(&mut self, end: u8, words: &mut Vec<&'a [u8]>) -> Result<u32, bool> {
        let mut commas = 0;
        loop {
            match self.next() {
                Part::Text(word) => words.push(word),
                Part::Unsure | Part::Byte(b'(') => return Err(true),
                Part::Byte(byte) if byte == end => return Ok(commas),
                Part::End if end == 0 => return Ok(commas),
                _ => return Err(false),
            }
            match self.next() {
                Part::Byte(b',') => commas += 1,
                Part::Byte(byte) if byte == end => return Ok(commas),
                Part::End if end == 0 => return Ok(commas),
                Part::Text(_) | Part::Unsure => return Err(true),
                _ => return Err(false),
            }
        }
    }
}
