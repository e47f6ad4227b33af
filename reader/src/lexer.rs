//! Tokens of a Python module, read one at a time.
//!
//! What this lexer takes, every Python from 3.11 on takes too. Anything else is a `Refusal`:
//! it may be a mistake, or only more than this reader knows.

/// The reader cannot say what this text is.
#[derive(Debug)]
pub struct Refusal;

pub type Outcome<T> = Result<T, Refusal>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Name,
    Keyword,
    Number,
    Text,
    Operator,
    LineEnd,
    Indent,
    Dedent,
    End,
}

/// A token; `code` is `code_of` an operator's text, 0 for all else.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub kind: Kind,
    pub code: u32,
    pub start: usize,
    pub end: usize,
    pub line: u32,
    /// The compiler may refuse it.
    is_doubtful: bool,
}

/// A number for the text of an operator (three bytes at most).
pub const fn code_of(text: &[u8]) -> u32 {
    let mut code = 0;
    let mut at = 0;
    while at < text.len() {
        code = code << 8 | text[at] as u32;
        at += 1;
    }
    code
}

/// Tabs count to the next multiple of eight, and as one: both must tell the same story.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Column {
    wide: u32,
    narrow: u32,
}

/// Where the lexer stands, to come back to.
#[derive(Clone, Copy)]
pub struct Place {
    token: Token,
    at: usize,
    limit: usize,
    line: u32,
    depth: u32,
    fields: u32,
    last_end: usize,
}

pub struct Lexer<'a> {
    pub text: &'a [u8],
    /// Where the text to read ends.
    pub limit: usize,
    pub at: usize,
    pub line: u32,
    /// Open brackets.
    pub depth: u32,
    /// Fields of f-strings around this place.
    pub fields: u32,
    pub token: Token,
    /// The end of the token before.
    pub last_end: usize,
    /// Something here may be what the compiler refuses; the grammar allows it.
    pub is_doubtful: bool,
    /// Strings and numbers that the compiler may refuse.
    pub doubts: Vec<(usize, usize)>,
    /// The token that is being read is doubtful.
    pub doubts_next: bool,
    /// Names that are `__version__`.
    pub versions: u32,
    /// The oldest minor version of Python 3 that may read this.
    pub needs: u8,
    columns: Vec<Column>,
    dedents: u32,
    begins_line: bool,
}

/// The tokenizer of Python takes 100 and 200.
const MAX_INDENTS: usize = 90;
const MAX_DEPTH: u32 = 90;

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        let start = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Lexer {
            text,
            limit: text.len(),
            at: start,
            line: 1,
            depth: 0,
            fields: 0,
            token: Token {
                kind: Kind::End,
                code: 0,
                start,
                end: start,
                line: 1,
                is_doubtful: false,
            },
            last_end: start,
            is_doubtful: false,
            doubts: Vec::new(),
            doubts_next: false,
            versions: 0,
            needs: 0,
            columns: vec![Column { wide: 0, narrow: 0 }],
            dedents: 0,
            begins_line: true,
        }
    }

    pub fn place(&self) -> Place {
        Place {
            token: self.token,
            at: self.at,
            limit: self.limit,
            line: self.line,
            depth: self.depth,
            fields: self.fields,
            last_end: self.last_end,
        }
    }

    /// Go back on the same logical line.
    pub fn restore(&mut self, place: Place) {
        self.token = place.token;
        self.at = place.at;
        self.limit = place.limit;
        self.line = place.line;
        self.depth = place.depth;
        self.fields = place.fields;
        self.last_end = place.last_end;
        self.begins_line = false;
    }

    pub fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    pub fn need(&mut self, minor: u8) {
        self.needs = self.needs.max(minor);
    }

    #[inline]
    pub fn peek(&self, ahead: usize) -> u8 {
        let at = self.at + ahead;
        if at < self.limit {
            self.text[at]
        } else {
            0
        }
    }

    pub fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        &self.text[start..end]
    }

    pub fn word(&self) -> &'a [u8] {
        self.slice(self.token.start, self.token.end)
    }

    #[inline]
    pub fn is_operator(&self, code: u32) -> bool {
        self.token.code == code
    }

    #[inline]
    pub fn is_keyword(&self, word: &[u8]) -> bool {
        self.token.kind == Kind::Keyword && self.word() == word
    }

    /// Read the next token.
    pub fn advance(&mut self) -> Outcome<()> {
        self.last_end = self.token.end;
        if self.token.is_doubtful {
            match self.token.kind {
                Kind::Text | Kind::Number => self.doubts.push((self.token.start, self.token.end)),
                _ => self.is_doubtful = true,
            }
        }
        if self.dedents > 0 {
            self.dedents -= 1;
            self.set(Kind::Dedent, 0, self.at);
            return Ok(());
        }
        if self.begins_line && self.depth == 0 && self.read_indent()? {
            return Ok(());
        }
        self.skip_blanks()?;
        let start = self.at;
        let byte = self.peek(0);
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.read_word(start),
            b'0'..=b'9' => self.read_number(start),
            b'.' if self.peek(1).is_ascii_digit() => self.read_number(start),
            b'"' | b'\'' => self.read_text(start, b""),
            b'\n' | b'\r' => {
                self.skip_line_end()?;
                self.begins_line = true;
                self.set(Kind::LineEnd, 0, start);
                self.token.line -= 1;
                Ok(())
            }
            0 => self.read_end(start),
            _ => self.read_operator(start),
        }
    }

    pub fn set(&mut self, kind: Kind, code: u32, start: usize) {
        let is_doubtful = std::mem::take(&mut self.doubts_next);
        self.token = Token { kind, code, start, end: self.at, line: self.line, is_doubtful };
    }

    pub fn skip_line_end(&mut self) -> Outcome<()> {
        if self.peek(0) == b'\r' {
            if self.peek(1) != b'\n' {
                return Err(Refusal); // the line end of old Macs
            }
            self.at += 1;
        }
        self.at += 1;
        self.line += 1;
        Ok(())
    }

    fn skip_comment(&mut self) {
        while self.at < self.limit && !matches!(self.text[self.at], b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn skip_blanks(&mut self) -> Outcome<()> {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\x0c' => self.at += 1,
                b'#' if self.fields == 0 => self.skip_comment(),
                b'\n' | b'\r' if self.depth > 0 => self.skip_line_end()?,
                b'\\' if self.fields == 0 && matches!(self.peek(1), b'\n' | b'\r') => {
                    self.at += 1;
                    self.skip_line_end()?;
                    if self.at >= self.limit {
                        return Err(Refusal);
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    /// Read the blanks that begin a line; True where they are a token.
    fn read_indent(&mut self) -> Outcome<bool> {
        let mut column;
        loop {
            column = Column { wide: 0, narrow: 0 };
            loop {
                match self.peek(0) {
                    b' ' => {
                        column.wide += 1;
                        column.narrow += 1;
                    }
                    b'\t' => {
                        column.wide = (column.wide / 8 + 1) * 8;
                        column.narrow += 1;
                    }
                    b'\x0c' => column = Column { wide: 0, narrow: 0 },
                    _ => break,
                }
                self.at += 1;
            }
            if self.peek(0) == b'#' {
                self.skip_comment();
            }
            match self.peek(0) {
                b'\n' | b'\r' => self.skip_line_end()?,
                b'\\' => return Err(Refusal),
                _ => break,
            }
        }
        self.begins_line = false;
        if self.at >= self.limit {
            column = Column { wide: 0, narrow: 0 };
        }
        let top = self.columns[self.columns.len() - 1];
        if column == top {
            return Ok(false);
        }
        if column.wide > top.wide {
            if column.narrow <= top.narrow || self.columns.len() > MAX_INDENTS {
                return Err(Refusal);
            }
            self.columns.push(column);
            self.set(Kind::Indent, 0, self.at);
            return Ok(true);
        }
        let mut left = 0;
        while self.columns[self.columns.len() - 1].wide > column.wide {
            self.columns.pop();
            left += 1;
        }
        if left == 0 || self.columns[self.columns.len() - 1] != column {
            return Err(Refusal);
        }
        self.dedents = left - 1;
        self.set(Kind::Dedent, 0, self.at);
        Ok(true)
    }

    /// The end of the text: of its last line first, where that has none, then of its blocks.
    fn read_end(&mut self, start: usize) -> Outcome<()> {
        if self.at < self.limit || (self.depth > 0 && self.fields == 0) {
            return Err(Refusal); // a zero byte, or an open bracket
        }
        if self.fields == 0 && !matches!(self.token.kind, Kind::LineEnd | Kind::Dedent | Kind::End)
        {
            self.begins_line = true;
            self.set(Kind::LineEnd, 0, start);
            return Ok(());
        }
        self.set(Kind::End, 0, start);
        Ok(())
    }

    fn read_word(&mut self, start: usize) -> Outcome<()> {
        while matches!(self.peek(0), b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_') {
            self.at += 1;
        }
        let word = self.slice(start, self.at);
        match self.peek(0) {
            b'"' | b'\'' if word.len() < 3 => return self.read_text(start, word),
            0x80.. => return Err(Refusal), // a name beyond ASCII
            _ => (),
        }
        let kind = if is_keyword(word) { Kind::Keyword } else { Kind::Name };
        if kind == Kind::Name && word.len() > 4 {
            self.notice(word);
        }
        self.set(kind, 0, start);
        Ok(())
    }

    fn notice(&mut self, word: &[u8]) {
        match word {
            b"__version__" => self.versions += 1,
            b"__debug__" => self.doubts_next = true,
            b"aiter" | b"anext" | b"EncodingWarning" => self.need(10),
            b"BaseExceptionGroup" | b"ExceptionGroup" => self.need(11),
            b"PythonFinalizationError" => self.need(13),
            _ => (),
        }
    }

    fn read_operator(&mut self, start: usize) -> Outcome<()> {
        let (first, second, third) = (self.peek(0), self.peek(1), self.peek(2));
        let length = match (first, second, third) {
            (b'*', b'*', b'=') | (b'/', b'/', b'=') | (b'>', b'>', b'=') | (b'<', b'<', b'=') => 3,
            (b'.', b'.', b'.') => 3,
            (b'*', b'*', _) | (b'/', b'/', _) | (b'>', b'>', _) | (b'<', b'<', _) => 2,
            (b'-', b'>', _) => 2,
            (b'=' | b'!' | b'<' | b'>' | b'+' | b'-', b'=', _) => 2,
            (b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'@' | b':', b'=', _) => 2,
            (b'!', _, _) if self.fields == 0 => return Err(Refusal),
            (b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'~' | b'@', _, _) => 1,
            (b'<' | b'>' | b'=' | b'.' | b',' | b':' | b';' | b'!', _, _) => 1,
            (b'(' | b'[' | b'{', _, _) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(Refusal);
                }
                1
            }
            (b')' | b']' | b'}', _, _) => {
                if self.depth == 0 {
                    return Err(Refusal);
                }
                self.depth -= 1;
                1
            }
            _ => return Err(Refusal),
        };
        self.at += length;
        self.set(Kind::Operator, code_of(self.slice(start, self.at)), start);
        Ok(())
    }
}

fn is_keyword(word: &[u8]) -> bool {
    match word.len() {
        2 => matches!(word, b"as" | b"if" | b"in" | b"is" | b"or"),
        3 => matches!(word, b"and" | b"def" | b"del" | b"for" | b"not" | b"try"),
        4 => matches!(word, b"None" | b"True" | b"elif" | b"else" | b"from" | b"pass" | b"with"),
        5 => matches!(
            word,
            b"False" | b"async" | b"await" | b"break" | b"class" | b"raise" | b"while" | b"yield"
        ),
        6 => matches!(word, b"assert" | b"except" | b"global" | b"import" | b"lambda" | b"return"),
        7 => word == b"finally",
        8 => matches!(word, b"continue" | b"nonlocal"),
        _ => false,
    }
}
