//! The text of numbers and strings.

use crate::lexer::{Kind, Lexer, Outcome, Refusal};

/// More digits than this, and Python may not take the number.
const MAX_DIGITS: usize = 4000;

impl Lexer<'_> {
    pub fn read_digits(&mut self, is_digit: fn(u8) -> bool) -> Outcome<()> {
        loop {
            if !is_digit(self.peek(0)) {
                return Err(Refusal);
            }
            while is_digit(self.peek(0)) {
                self.at += 1;
            }
            if self.peek(0) != b'_' {
                return Ok(());
            }
            self.at += 1;
        }
    }

    pub fn read_number(&mut self, start: usize) -> Outcome<()> {
        let is_digit: fn(u8) -> bool = |byte| byte.is_ascii_digit();
        let base = if self.peek(0) == b'0' { self.peek(1) | 0x20 } else { 0 };
        if matches!(base, b'x' | b'o' | b'b') {
            self.at += 2;
            if self.peek(0) == b'_' {
                self.at += 1;
            }
            self.read_digits(match base {
                b'x' => |byte| byte.is_ascii_hexdigit(),
                b'o' => |byte| matches!(byte, b'0'..=b'7'),
                _ => |byte| matches!(byte, b'0' | b'1'),
            })?;
        } else {
            let mut is_whole = true;
            if self.peek(0) != b'.' {
                self.read_digits(is_digit)?;
            }
            let whole = self.slice(start, self.at);
            if self.peek(0) == b'.' {
                is_whole = false;
                self.at += 1;
                if is_digit(self.peek(0)) {
                    self.read_digits(is_digit)?;
                }
            }
            if self.peek(0) | 0x20 == b'e' {
                let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
                if is_digit(self.peek(1 + sign)) {
                    is_whole = false;
                    self.at += 1 + sign;
                    self.read_digits(is_digit)?;
                }
            }
            if self.peek(0) | 0x20 == b'j' {
                is_whole = false;
                self.at += 1;
            }
            let is_zero = whole.iter().all(|byte| matches!(byte, b'0' | b'_'));
            if is_whole && whole.starts_with(b"0") && !is_zero {
                return Err(Refusal);
            }
            if self.at - start > MAX_DIGITS {
                self.doubts_next = true;
            }
        }
        if matches!(self.peek(0), b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80..) {
            return Err(Refusal);
        }
        self.set(Kind::Number, 0, start);
        Ok(())
    }

    /// A string that begins at `start` with a prefix; the lexer stands on its quote.
    pub fn read_text(&mut self, start: usize, prefix: &[u8]) -> Outcome<()> {
        let is_raw = prefix.iter().any(|byte| byte | 0x20 == b'r');
        let is_bytes = prefix.iter().any(|byte| byte | 0x20 == b'b');
        let is_known = match prefix {
            [] => true,
            [one] => matches!(one | 0x20, b'r' | b'b' | b'u' | b'f'),
            [one, two] => {
                let pair = [one | 0x20, two | 0x20];
                matches!(&pair, b"br" | b"rb" | b"fr" | b"rf")
            }
            _ => false,
        };
        if !is_known {
            return Err(Refusal);
        }
        let quote = self.peek(0);
        let is_long = self.peek(1) == quote && self.peek(2) == quote;
        self.at += if is_long { 3 } else { 1 };
        let first_line = self.line;
        loop {
            if self.at >= self.limit {
                return Err(Refusal);
            }
            let byte = self.text[self.at];
            match byte {
                b'\\' => self.read_escape(is_raw, is_bytes)?,
                b'\n' | b'\r' => {
                    if !is_long {
                        return Err(Refusal);
                    }
                    self.skip_line_end()?;
                }
                0 => return Err(Refusal),
                _ if byte == quote => {
                    if !is_long {
                        self.at += 1;
                        break;
                    }
                    if self.peek(1) == quote && self.peek(2) == quote {
                        self.at += 3;
                        break;
                    }
                    self.at += 1;
                }
                _ => {
                    if is_bytes && byte >= 0x80 {
                        self.doubts_next = true;
                    }
                    self.at += 1;
                }
            }
        }
        self.set(Kind::Text, 0, start);
        self.token.line = first_line;
        Ok(())
    }

    pub fn read_escape(&mut self, is_raw: bool, is_bytes: bool) -> Outcome<()> {
        if self.fields > 0 {
            return Err(Refusal); // before Python 3.12 no backslash is allowed there
        }
        let next = self.peek(1);
        self.at += 1;
        if matches!(next, b'\n' | b'\r') {
            return self.skip_line_end();
        }
        if self.at >= self.limit || next == 0 {
            return Err(Refusal);
        }
        self.at += 1;
        if !is_raw {
            let digits = match next {
                b'x' => 2,
                b'u' if !is_bytes => 4,
                b'U' if !is_bytes => 8,
                _ => 0,
            };
            let is_complete = (0..digits).all(|ahead| self.peek(ahead).is_ascii_hexdigit());
            if !is_complete || digits == 8 || (next == b'N' && !is_bytes) {
                self.doubts_next = true;
            }
        }
        Ok(())
    }
}
