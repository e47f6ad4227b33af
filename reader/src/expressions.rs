//! Expressions: their grammar, and what of them may be assigned to.

use crate::lexer::{code_of, Kind, Lexer, Outcome, Refusal};

/// What an expression is, as far as anyone asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    Name,
    Attribute,
    Subscript,
    Starred,
    Tuple,
    List,
    Call,
    Compare,
    /// Strings alone; their value is in the text.
    Text,
    /// A constant that is false.
    False,
    /// What asks for type checking, and for something else.
    Typing,
    /// `not` before what asks for type checking.
    NotTyping,
    Other,
}

#[derive(Clone, Copy, Debug)]
pub struct Expression {
    pub what: What,
    /// May be assigned to, and deleted.
    pub is_target: bool,
    pub is_deletable: bool,
    /// In parentheses of its own.
    pub is_grouped: bool,
    pub start: usize,
    pub end: usize,
    /// The name, or the last name of an attribute or of what is called.
    pub name: (usize, usize),
    /// Of an attribute: the name it is of; empty for anything else.
    pub owner: (usize, usize),
    /// A call with one of the names of import errors.
    pub has_import_error: bool,
}

/// A call of what may be a function that imports, and what it would import.
pub struct ImportCall<'a> {
    pub function: &'a [u8],
    /// What it is an attribute of; empty for a name alone.
    pub owner: &'a [u8],
    pub module: &'a [u8],
    pub line: u32,
}

pub struct Parser<'a> {
    pub lexer: Lexer<'a>,
    /// Names that an expression would bind as a target, in the order of their text.
    pub names: Vec<(usize, usize)>,
    /// Whether code here is inside `async def`, and whether `yield` may be.
    pub is_async: bool,
    pub may_yield: bool,
    pub yields: bool,
    /// Lambdas, comprehensions' conditions and annotations around this place.
    pub lambdas: u32,
    pub comprehensions: u32,
    pub annotations: u32,
    /// Iterables of comprehensions around this place.
    pub iterables: u32,
    /// In the body of a class, not of a function in it.
    pub is_class: bool,
    pub surprises: Surprises,
    /// Names bound by `:=`.
    pub named: Vec<(usize, usize)>,
    pub asks_for_platform: bool,
    /// Calls that may import, of the statement that is being read.
    pub calls: Vec<ImportCall<'a>>,
    /// Only a syntax tree shows what the module imports.
    pub is_unsure: bool,
    /// There was `|` in an annotation.
    pub has_union: bool,
    pub level: u32,
}

const NOTHING: (usize, usize) = (0, 0);
/// The compiler goes as deep as the tree: so deep it surely can.
const SURE_LEVEL: u32 = 40;
const MAX_LEVEL: u32 = 150;
/// Operators and calls one after another, which make the tree as deep.
const SURE_CHAIN: u32 = 500;
pub const IMPORT_ERRORS: [&[u8]; 3] = [b"ImportError", b"ModuleNotFoundError", b"Exception"];
const TYPING: [&[u8]; 3] = [b"TYPE_CHECKING", b"MYPY", b"MYPY_CHECK_RUNNING"];

pub const COMMA: u32 = code_of(b",");
pub const COLON: u32 = code_of(b":");
pub const STAR: u32 = code_of(b"*");
pub const STARS: u32 = code_of(b"**");
pub const EQUALS: u32 = code_of(b"=");
const WALRUS: u32 = code_of(b":=");

const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
pub const OR: u8 = 5;
const UNARY: u8 = 11;
const POWER: u8 = 12;

impl<'a> Parser<'a> {
    pub fn new(lexer: Lexer<'a>) -> Self {
        Parser {
            lexer,
            names: Vec::new(),
            is_async: false,
            may_yield: false,
            yields: false,
            lambdas: 0,
            comprehensions: 0,
            annotations: 0,
            iterables: 0,
            is_class: false,
            surprises: Surprises { yields: 0, named: 0 },
            named: Vec::new(),
            asks_for_platform: false,
            calls: Vec::new(),
            is_unsure: false,
            has_union: false,
            level: 0,
        }
    }

    pub fn is(&self, code: u32) -> bool {
        self.lexer.is_operator(code)
    }

    pub fn is_word(&self, word: &[u8]) -> bool {
        self.lexer.is_keyword(word)
    }

    /// Go past an operator if it is there.
    pub fn accept(&mut self, code: u32) -> Outcome<bool> {
        if !self.is(code) {
            return Ok(false);
        }
        self.lexer.advance()?;
        Ok(true)
    }

    pub fn expect(&mut self, code: u32) -> Outcome<()> {
        if self.accept(code)? {
            Ok(())
        } else {
            Err(Refusal)
        }
    }

    pub fn accept_word(&mut self, word: &[u8]) -> Outcome<bool> {
        if !self.is_word(word) {
            return Ok(false);
        }
        self.lexer.advance()?;
        Ok(true)
    }

    pub fn expect_word(&mut self, word: &[u8]) -> Outcome<()> {
        if self.accept_word(word)? {
            Ok(())
        } else {
            Err(Refusal)
        }
    }

    /// Go past a name, and return its place.
    pub fn expect_name(&mut self) -> Outcome<(usize, usize)> {
        if self.lexer.token.kind != Kind::Name {
            return Err(Refusal);
        }
        let place = (self.lexer.token.start, self.lexer.token.end);
        self.lexer.advance()?;
        Ok(place)
    }

    pub fn slice(&self, place: (usize, usize)) -> &'a [u8] {
        self.lexer.slice(place.0, place.1)
    }

    pub fn make(&self, what: What, start: usize) -> Expression {
        Expression {
            what,
            is_target: false,
            is_deletable: false,
            is_grouped: false,
            start,
            end: self.lexer.last_end,
            name: NOTHING,
            owner: NOTHING,
            has_import_error: false,
        }
    }

    /// Whether an expression asks for type checking: `TYPE_CHECKING`, or what is never true.
    pub fn is_typing(&self, test: &Expression) -> bool {
        match test.what {
            What::Name | What::Attribute => TYPING.contains(&self.slice(test.name)),
            What::False | What::Typing => true,
            _ => false,
        }
    }

    /// `a, *b`, as after `=` and `return`.
    pub fn star_expressions(&mut self) -> Outcome<Expression> {
        let start = self.lexer.token.start;
        let first = self.star_expression(false)?;
        if !self.is(COMMA) {
            return if first.what == What::Starred { Err(Refusal) } else { Ok(first) };
        }
        let mut tuple = self.begin_list(&first);
        while self.accept(COMMA)? {
            if !self.begins_expression() {
                break;
            }
            let part = self.star_expression(false)?;
            self.add_part(&mut tuple, &part)?;
        }
        Ok(self.end_list(tuple, What::Tuple, start))
    }

    /// Whether the token can begin an expression.
    pub fn begins_expression(&self) -> bool {
        let token = &self.lexer.token;
        match token.kind {
            Kind::Name | Kind::Number | Kind::Text => true,
            Kind::Keyword => matches!(
                self.lexer.word(),
                b"None" | b"True" | b"False" | b"not" | b"lambda" | b"await"
            ),
            Kind::Operator => {
                matches!(
                    self.lexer.text[token.start],
                    b'(' | b'[' | b'{' | b'-' | b'+' | b'~' | b'*'
                ) || token.code == code_of(b"...")
            }
            _ => false,
        }
    }

    /// `*a`, or an expression; `may_name` allows `a := b`.
    pub fn star_expression(&mut self, may_name: bool) -> Outcome<Expression> {
        if !self.is(STAR) {
            return if may_name { self.named_expression() } else { self.expression() };
        }
        let start = self.lexer.token.start;
        self.lexer.advance()?;
        let inner = self.binary(OR)?;
        let mut starred = self.make(What::Starred, start);
        starred.is_target = inner.is_target;
        Ok(starred)
    }

    pub fn named_expression(&mut self) -> Outcome<Expression> {
        let start = self.lexer.token.start;
        let mark = self.names.len();
        let first = self.expression()?;
        if !self.is(WALRUS) || self.lexer.fields > 0 && self.lexer.depth == 1 {
            return Ok(first);
        }
        if first.what != What::Name || first.is_grouped {
            return Err(Refusal);
        }
        self.lexer.advance()?;
        self.expression()?;
        self.names.truncate(mark);
        self.lexer.need(8);
        self.surprises.named += 1;
        self.named.push(first.name);
        if self.iterables > 0 || self.annotations > 0 {
            self.lexer.doubt();
        }
        Ok(self.make(What::Other, start))
    }

    pub fn expression(&mut self) -> Outcome<Expression> {
        let start = self.lexer.token.start;
        let mark = self.names.len();
        self.deepen()?;
        let mut found;
        if self.is_word(b"lambda") {
            self.lambda()?;
            found = self.make(What::Other, start);
            self.names.truncate(mark);
        } else {
            found = self.binary(1)?;
            if self.is_word(b"if") {
                self.lexer.advance()?;
                self.binary(1)?;
                self.expect_word(b"else")?;
                self.expression()?;
                found = self.make(What::Other, start);
                self.names.truncate(mark);
            }
        }
        self.level -= 1;
        Ok(found)
    }

    fn lambda(&mut self) -> Outcome<()> {
        self.lexer.advance()?;
        self.parameters(COLON)?;
        self.expect(COLON)?;
        if self.lexer.fields > 0 {
            self.lexer.doubt();
        }
        self.lambdas += 1;
        self.expression()?;
        self.lambdas -= 1;
        Ok(())
    }

    /// `or`, and all that binds more tightly: operators of this precedence and above.
    pub fn binary(&mut self, lowest: u8) -> Outcome<Expression> {
        let start = self.lexer.token.start;
        let mark = self.names.len();
        let mut left = self.operand(lowest, start, mark)?;
        let mut chain = 0;
        loop {
            let Some(rank) = self.rank() else {
                return Ok(left);
            };
            if rank < lowest {
                return Ok(left);
            }
            self.pass_operator(rank)?;
            let is_power = rank == POWER;
            self.deepen()?;
            let right = self.binary(if is_power { UNARY } else { rank + 1 })?;
            self.level -= 1;
            self.names.truncate(mark);
            chain += 1;
            if chain > SURE_CHAIN {
                self.lexer.doubt();
            }
            let is_typing = rank == AND && (self.is_typing(&left) || self.is_typing(&right));
            let name = left.name;
            let was_name = left.what == What::Name;
            let what = match rank {
                COMPARE => What::Compare,
                AND if is_typing => What::Typing,
                _ => What::Other,
            };
            left = self.make(what, start);
            if was_name && rank == COMPARE {
                left.owner = name; // `__name__ == ...`
            }
        }
    }

    fn operand(&mut self, lowest: u8, start: usize, mark: usize) -> Outcome<Expression> {
        if self.lexer.token.kind == Kind::Keyword {
            if self.is_word(b"not") {
                if lowest > NOT {
                    return Err(Refusal);
                }
                self.lexer.advance()?;
                self.deepen()?;
                let inner = self.binary(NOT)?;
                self.level -= 1;
                self.names.truncate(mark);
                let is_typing = self.is_typing(&inner);
                return Ok(self.make(if is_typing { What::NotTyping } else { What::Other }, start));
            }
            if self.is_word(b"await") {
                self.lexer.advance()?;
                if !self.is_async || self.lambdas > 0 || self.annotations > 0 {
                    self.lexer.doubt();
                }
                self.primary()?;
                self.names.truncate(mark);
                return Ok(self.make(What::Other, start));
            }
        }
        let token = &self.lexer.token;
        if token.kind == Kind::Operator
            && token.end == token.start + 1
            && matches!(self.lexer.text[token.start], b'-' | b'+' | b'~')
        {
            self.lexer.advance()?;
            self.deepen()?;
            self.binary(UNARY)?;
            self.level -= 1;
            self.names.truncate(mark);
            return Ok(self.make(What::Other, start));
        }
        self.primary()
    }

    fn deepen(&mut self) -> Outcome<()> {
        self.level += 1;
        if self.level > SURE_LEVEL {
            self.lexer.doubt();
        }
        if self.level > MAX_LEVEL {
            Err(Refusal)
        } else {
            Ok(())
        }
    }

    /// The precedence of the operator here; None for a token that joins no operands.
    fn rank(&self) -> Option<u8> {
        let token = &self.lexer.token;
        match token.kind {
            Kind::Operator => {
                let text = &self.lexer.text[token.start..token.end];
                match text {
                    b"<" | b">" | b"==" | b"!=" | b"<=" | b">=" => Some(COMPARE),
                    b"|" => Some(OR),
                    b"^" => Some(6),
                    b"&" => Some(7),
                    b"<<" | b">>" => Some(8),
                    b"+" | b"-" => Some(9),
                    b"*" | b"/" | b"//" | b"%" | b"@" => Some(10),
                    b"**" => Some(POWER),
                    _ => None,
                }
            }
            Kind::Keyword => match self.lexer.word() {
                b"or" => Some(1),
                b"and" => Some(2),
                b"not" | b"in" | b"is" => Some(COMPARE),
                _ => None,
            },
            _ => None,
        }
    }

    fn pass_operator(&mut self, rank: u8) -> Outcome<()> {
        self.has_union |= self.annotations > 0 && rank == OR;
        if rank == COMPARE && self.is_word(b"not") {
            self.lexer.advance()?;
            return self.expect_word(b"in");
        }
        if rank == COMPARE && self.is_word(b"is") {
            self.lexer.advance()?;
            self.accept_word(b"not")?;
            return Ok(());
        }
        self.lexer.advance()
    }

    /// An atom with what follows it: `.name`, `(...)`, `[...]`.
    pub fn primary(&mut self) -> Outcome<Expression> {
        let start = self.lexer.token.start;
        let line = self.lexer.token.line;
        let mark = self.names.len();
        let mut found = self.atom()?;
        let mut chain = 0;
        loop {
            let token = &self.lexer.token;
            if token.kind != Kind::Operator || token.end != token.start + 1 {
                return Ok(found);
            }
            match self.lexer.text[token.start] {
                b'.' => {
                    self.lexer.advance()?;
                    let name = self.expect_name()?;
                    let owner = if found.what == What::Name { found.name } else { NOTHING };
                    if matches!(self.slice(owner), b"sys" | b"os" | b"platform")
                        && is_of_platform(self.slice(name))
                    {
                        self.asks_for_platform = true;
                    }
                    found = self.make(What::Attribute, start);
                    found.name = name;
                    found.owner = owner;
                }
                b'(' => {
                    self.lexer.advance()?;
                    let is_named = matches!(found.what, What::Name | What::Attribute);
                    let name = if is_named { found.name } else { NOTHING };
                    let has_import_error = if may_import(self.slice(name)) {
                        self.call_import(&found, line)?
                    } else {
                        self.arguments(true)?.has_import_error
                    };
                    found = self.make(What::Call, start);
                    found.name = name;
                    found.has_import_error = has_import_error;
                }
                b'[' => {
                    self.lexer.advance()?;
                    self.slices()?;
                    found = self.make(What::Subscript, start);
                }
                _ => return Ok(found),
            }
            found.is_target = found.what != What::Call;
            found.is_deletable = found.is_target;
            self.names.truncate(mark);
            chain += 1;
            if chain > SURE_CHAIN {
                self.lexer.doubt();
            }
        }
    }

    fn atom(&mut self) -> Outcome<Expression> {
        let token = self.lexer.token;
        let start = token.start;
        match token.kind {
            Kind::Name => {
                self.lexer.advance()?;
                let mut found = self.make(What::Name, start);
                found.name = (token.start, token.end);
                found.is_target = true;
                found.is_deletable = true;
                self.names.push(found.name);
                Ok(found)
            }
            Kind::Number => {
                let text = self.lexer.word();
                let is_zero = text.iter().all(|byte| matches!(byte, b'0' | b'.' | b'_'));
                self.lexer.advance()?;
                Ok(self.make(if is_zero { What::False } else { What::Other }, start))
            }
            Kind::Text => self.texts(),
            Kind::Keyword => {
                let what = match self.lexer.word() {
                    b"None" | b"False" => What::False,
                    b"True" => What::Other,
                    _ => return Err(Refusal),
                };
                self.lexer.advance()?;
                Ok(self.make(what, start))
            }
            Kind::Operator => match self.lexer.text[start] {
                b'(' => self.group(),
                b'[' => self.list(),
                b'{' => self.braces(),
                b'.' if token.code == code_of(b"...") => {
                    self.lexer.advance()?;
                    Ok(self.make(What::Other, start))
                }
                _ => Err(Refusal),
            },
            _ => Err(Refusal),
        }
    }

    /// `yield`, `yield a, b` or `yield from a`.
    pub fn yield_expression(&mut self) -> Outcome<()> {
        self.lexer.advance()?;
        let is_sure = self.may_yield
            && self.lambdas == 0
            && self.comprehensions == 0
            && self.annotations == 0
            && self.lexer.fields == 0;
        if !is_sure {
            self.lexer.doubt();
        }
        self.yields = true;
        self.surprises.yields += 1;
        let mark = self.names.len();
        if self.accept_word(b"from")? {
            if self.is_async {
                self.lexer.doubt();
            }
            self.expression()?;
        } else if self.begins_expression() {
            self.star_expressions()?;
        }
        self.names.truncate(mark);
        Ok(())
    }
}

/// How many `yield` and `:=` were read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Surprises {
    pub yields: u32,
    pub named: usize,
}

pub fn may_import(function: &[u8]) -> bool {
    matches!(function, b"import_module" | b"__import__")
}

fn is_of_platform(name: &[u8]) -> bool {
    matches!(
        name,
        b"platform"
            | b"version_info"
            | b"name"
            | b"system"
            | b"implementation"
            | b"python_implementation"
    )
}
