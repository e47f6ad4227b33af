//! Strings one after another, and the fields of f-strings.

use crate::expressions::{Expression, Parser, What, EQUALS, STAR};
use crate::lexer::{code_of, Kind, Outcome, Refusal};
use crate::texts::contains;

impl Parser<'_> {
    /// Strings one after another, which are one value.
    pub fn texts(&mut self) -> Outcome<Expression> {
        let start = self.lexer.token.start;
        let mut what = What::Text;
        let mut is_bytes = None;
        let mut is_empty = true;
        while self.lexer.token.kind == Kind::Text {
            let text = self.lexer.word();
            let prefix = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            let has = |letter| text[..prefix].iter().any(|byte| byte | 0x20 == letter);
            if *is_bytes.get_or_insert(has(b'b')) != has(b'b') {
                return Err(Refusal);
            }
            if has(b'b') {
                what = What::Other;
            }
            if has(b'f') {
                what = What::Other;
                is_empty = false;
                self.fields_of_text(prefix, has(b'r'))?;
            }
            is_empty = is_empty && is_empty_text(&text[prefix..], has(b'r'));
            self.lexer.advance()?;
        }
        Ok(self.make(if is_empty { What::False } else { what }, start))
    }

    /// The fields of the f-string that is the token.
    pub fn fields_of_text(&mut self, prefix: usize, is_raw: bool) -> Outcome<()> {
        let token = self.lexer.token;
        let text = self.lexer.text;
        let quote = text[token.start + prefix];
        let is_long = token.end - token.start >= prefix + 6
            && text[token.start + prefix + 1] == quote
            && text[token.start + prefix + 2] == quote;
        let width = if is_long { 3 } else { 1 };
        let end = token.end - width;
        let mut at = token.start + prefix + width;
        while at < end {
            match text[at] {
                b'\\' if !is_raw => {
                    if matches!(text[at + 1], b'{' | b'}' | b'N') {
                        return Err(Refusal);
                    }
                    at += 2;
                }
                b'{' if text[at + 1] == b'{' && at + 1 < end => at += 2,
                b'}' if text[at + 1] == b'}' && at + 1 < end => at += 2,
                b'}' => return Err(Refusal),
                b'{' => at = self.field(at + 1, end, 0)?,
                _ => at += 1,
            }
        }
        Ok(())
    }

    /// A field of an f-string, from behind its `{`; returns where it ends.
    pub fn field(&mut self, start: usize, end: usize, nested: u32) -> Outcome<usize> {
        const EXCLAMATION: u32 = code_of(b"!");
        let place = self.lexer.place();
        let mark = self.names.len();
        self.lexer.limit = end;
        self.lexer.at = start;
        self.lexer.depth = 1;
        self.lexer.fields += 1;
        self.lexer.advance()?;
        if self.is(STAR) || !self.begins_expression() {
            return Err(Refusal);
        }
        self.star_expressions()?;
        let text = self.lexer.text;
        let token = self.lexer.token;
        self.lexer.restore(place);
        self.names.truncate(mark);
        let mut at = token.start;
        if token.kind != Kind::Operator {
            return Err(Refusal);
        }
        if token.code == EQUALS {
            at = token.end;
            while at < end && text[at] == b' ' {
                at += 1;
            }
        }
        if at < end && text[at] == b'!' && (token.code == EXCLAMATION || token.code == EQUALS) {
            if at + 2 >= end || !matches!(text[at + 1], b's' | b'r' | b'a') {
                return Err(Refusal);
            }
            at += 2;
        }
        if at < end && text[at] == b':' {
            at += 1;
            while at < end && text[at] != b'}' {
                match text[at] {
                    b'{' if nested > 0 || text[at + 1] == b'{' => return Err(Refusal),
                    b'{' => at = self.field(at + 1, end, nested + 1)?,
                    b'\\' | b'\n' | b'\r' => return Err(Refusal),
                    _ => at += 1,
                }
            }
        }
        if at < end && text[at] == b'}' {
            Ok(at + 1)
        } else {
            Err(Refusal)
        }
    }
}

/// Whether nothing is between quotes, lines that go on aside.
fn is_empty_text(quoted: &[u8], is_raw: bool) -> bool {
    let width = if quoted.len() >= 6 && quoted[1] == quoted[0] { 3 } else { 1 };
    let inside = &quoted[width..quoted.len() - width];
    inside.is_empty()
        || !is_raw
            && inside[0] == b'\\'
            && inside.iter().all(|byte| matches!(byte, b'\\' | b'\n' | b'\r'))
            && !contains(inside, b"\\\\")
}
