//! Statements: their grammar, and what those of the module itself bind and import.

use crate::expressions::{may_import, Expression, Parser, What, COLON, COMMA, EQUALS, STAR};
use crate::facts::{Facts, Import};
use crate::lexer::{code_of, Kind, Lexer, Outcome, Place, Refusal};
use crate::texts::{contains, contains_word, exported_change, strings_of};

/// What is around a statement.
#[derive(Clone, Copy)]
pub struct Around {
    /// A statement of the module itself, or one that runs with it in a block.
    pub is_outermost: bool,
    pub is_visible: bool,
    pub is_optional: bool,
    pub is_typing: bool,
    pub is_deferred: bool,
    pub condition: Condition,
    /// Conditions inside of `match` do not count.
    is_case: bool,
    is_loop: bool,
    blocks: u32,
}

/// The outermost `if` that does not ask for type checking.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    None,
    If,
    Main,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScopeKind {
    Module,
    Class,
    Function,
}

/// Whose names the statements bind.
struct Scope<'a> {
    kind: ScopeKind,
    /// Where its statements begin; a docstring is none.
    start: usize,
    is_fresh: bool,
    globals: u32,
    returns_value: bool,
    is_async: bool,
    may_yield: bool,
    yields: bool,
    /// Of a function: the names it binds, and those it takes from the module or from around.
    bound: Vec<&'a [u8]>,
    made_global: Vec<&'a [u8]>,
    nonlocals: Vec<&'a [u8]>,
    /// Names that functions inside take from around them.
    wanted: Vec<&'a [u8]>,
}

pub struct Module<'a> {
    pub parser: Parser<'a>,
    pub facts: Facts<'a>,
    scope: Scope<'a>,
    /// Nothing but a docstring and imports from `__future__` was there yet; not even that.
    is_head: bool,
    is_first: bool,
    is_lazy: bool,
}

struct Attempt {
    place: Place,
    names: usize,
    calls: usize,
    level: u32,
    lambdas: u32,
    comprehensions: u32,
    annotations: u32,
}

const SEMICOLON: u32 = code_of(b";");
const DOT: u32 = code_of(b".");
const DOTS: u32 = code_of(b"...");
const OPEN: u32 = code_of(b"(");
const CLOSE: u32 = code_of(b")");
/// The compiler takes twenty.
const SURE_BLOCKS: u32 = 12;
const SURE_BRANCHES: u32 = 60;
/// So many names are searched in so many bytes of a function before `global`.
const MAX_GLOBALS: u32 = 60;
const FAR: usize = 20_000;
const FUTURES: [&[u8]; 9] = [
    b"nested_scopes",
    b"generators",
    b"division",
    b"absolute_import",
    b"with_statement",
    b"print_function",
    b"unicode_literals",
    b"generator_stop",
    b"annotations",
];

/// Read a module; what is left open is in `facts`.
pub fn read_module(text: &[u8]) -> Outcome<Facts<'_>> {
    let mut module = Module {
        parser: Parser::new(Lexer::new(text)),
        facts: Facts::default(),
        scope: Scope {
            kind: ScopeKind::Module,
            start: 0,
            is_fresh: true,
            globals: 0,
            returns_value: false,
            is_async: false,
            may_yield: false,
            yields: false,
            bound: Vec::new(),
            made_global: Vec::new(),
            nonlocals: Vec::new(),
            wanted: Vec::new(),
        },
        is_head: true,
        is_first: true,
        is_lazy: false,
    };
    module.read()?;
    let mut facts = module.facts;
    facts.needs = module.parser.lexer.needs;
    facts.doubts.append(&mut module.parser.lexer.doubts);
    facts.is_unsure |= module.parser.is_unsure;
    facts.settle_calls();
    facts.settle_version(module.parser.lexer.versions);
    Ok(facts)
}

impl<'a> Module<'a> {
    fn read(&mut self) -> Outcome<()> {
        let around = Around {
            is_outermost: true,
            is_visible: true,
            is_optional: false,
            is_typing: false,
            is_deferred: false,
            condition: Condition::None,
            is_case: false,
            is_loop: false,
            blocks: 0,
        };
        self.parser.lexer.advance()?;
        while self.parser.lexer.token.kind != Kind::End {
            let start = self.parser.lexer.token.start;
            self.statement(around)?;
            if self.parser.lexer.is_doubtful {
                self.parser.lexer.is_doubtful = false;
                self.facts.doubts.push((start, self.parser.lexer.last_end));
            }
        }
        Ok(())
    }

    fn attempt(&self) -> Attempt {
        let parser = &self.parser;
        Attempt {
            place: parser.lexer.place(),
            names: parser.names.len(),
            calls: parser.calls.len(),
            level: parser.level,
            lambdas: parser.lambdas,
            comprehensions: parser.comprehensions,
            annotations: parser.annotations,
        }
    }

    fn give_up(&mut self, attempt: &Attempt) {
        let parser = &mut self.parser;
        parser.lexer.restore(attempt.place);
        parser.names.truncate(attempt.names);
        parser.calls.truncate(attempt.calls);
        parser.level = attempt.level;
        parser.lambdas = attempt.lambdas;
        parser.comprehensions = attempt.comprehensions;
        parser.annotations = attempt.annotations;
    }

    fn statement(&mut self, around: Around) -> Outcome<()> {
        self.parser.names.clear();
        let token = self.parser.lexer.token;
        match token.kind {
            Kind::Keyword => match self.parser.lexer.word() {
                b"if" => self.if_statement(around),
                b"for" => self.for_statement(around),
                b"while" => self.while_statement(around),
                b"try" => self.try_statement(around),
                b"with" => self.with_statement(around),
                b"def" => self.function(around, false),
                b"class" => self.class(around),
                b"async" => self.async_statement(around),
                _ => self.simple_statements(around),
            },
            Kind::Operator if token.code == code_of(b"@") => self.decorated(around),
            Kind::Name if self.parser.lexer.word() == b"match" => {
                if !self.match_statement(around)? {
                    self.simple_statements(around)?;
                }
                Ok(())
            }
            Kind::Indent | Kind::Dedent | Kind::LineEnd => Err(Refusal),
            _ => self.simple_statements(around),
        }
    }

    /// From `:` on: an indented block, or simple statements on the same line.
    fn block(&mut self, around: Around) -> Outcome<()> {
        self.is_head = false;
        let mut inside = around;
        inside.is_outermost = false;
        self.parser.expect(COLON)?;
        if self.parser.lexer.token.kind != Kind::LineEnd {
            self.parser.names.clear();
            return self.simple_statements(inside);
        }
        self.parser.lexer.advance()?;
        if self.parser.lexer.token.kind != Kind::Indent {
            return Err(Refusal);
        }
        self.parser.lexer.advance()?;
        while self.parser.lexer.token.kind != Kind::Dedent {
            self.statement(inside)?;
        }
        self.parser.lexer.advance()
    }

    /// The calls that import, of what was just read, belong where it stands.
    fn take_calls(&mut self, around: Around) {
        self.parser.is_unsure |= self.parser.calls.len() > 1; // the tree knows their order
        for call in self.parser.calls.drain(..) {
            self.facts.add_import(around, Import::by_call(call));
        }
    }

    /// The lines of calls in a condition are the tree's affair.
    fn refuse_calls(&mut self) {
        self.parser.is_unsure |= !self.parser.calls.is_empty();
        self.parser.calls.clear();
    }

    fn nest(&mut self, around: &mut Around, blocks: u32) {
        around.blocks += blocks;
        if around.blocks > SURE_BLOCKS {
            self.parser.lexer.doubt();
        }
    }

    // Compound statements

    fn if_statement(&mut self, around: Around) -> Outcome<()> {
        let mut rest = around; // what is around this branch and those that follow
        let mut branches = 0;
        loop {
            self.parser.lexer.advance()?;
            self.parser.names.clear();
            let start = self.parser.lexer.token.start;
            self.parser.asks_for_platform = false;
            let test = self.parser.named_expression()?;
            let asks_for_platform = self.parser.asks_for_platform;
            self.refuse_calls();
            let text = self.parser.lexer.slice(start, self.parser.lexer.last_end);
            let is_typing = self.parser.is_typing(&test);
            let names_main = test.what == What::Compare && contains(text, b"__name__");
            let is_main = names_main && self.parser.slice(test.owner) == b"__name__";
            let mut inside = rest;
            let was_open = rest.condition == Condition::None && !rest.is_case;
            if is_typing {
                inside.is_typing = true;
            } else {
                inside.is_optional |= asks_for_platform;
                if was_open {
                    // The lines of the branches after it are this one's too.
                    inside.condition = if is_main { Condition::Main } else { Condition::If };
                    rest.condition = inside.condition;
                }
            }
            inside.is_visible &= !is_typing && !names_main;
            self.block(inside)?;
            if test.what == What::NotTyping {
                rest.is_typing = true;
            } else {
                rest.is_optional |= asks_for_platform && !is_typing;
            }
            branches += 1;
            if branches > SURE_BRANCHES {
                self.parser.lexer.doubt();
            }
            if self.parser.is_word(b"elif") {
                continue;
            }
            if self.parser.accept_word(b"else")? {
                self.block(rest)?;
            }
            return Ok(());
        }
    }

    fn for_statement(&mut self, around: Around) -> Outcome<()> {
        let line = self.parser.lexer.token.line;
        self.parser.lexer.advance()?;
        self.parser.targets()?;
        self.bind_names(around, line);
        self.parser.expect_word(b"in")?;
        self.parser.star_expressions()?;
        self.loop_blocks(around)
    }

    fn while_statement(&mut self, around: Around) -> Outcome<()> {
        self.parser.lexer.advance()?;
        self.parser.named_expression()?;
        self.loop_blocks(around)
    }

    fn loop_blocks(&mut self, around: Around) -> Outcome<()> {
        self.take_calls(around);
        let mut inside = around;
        inside.is_loop = true;
        self.nest(&mut inside, 1);
        self.block(inside)?;
        if self.parser.accept_word(b"else")? {
            let mut otherwise = around;
            otherwise.is_visible = false;
            self.block(otherwise)?;
        }
        Ok(())
    }

    fn try_statement(&mut self, around: Around) -> Outcome<()> {
        let mut inside = around;
        self.nest(&mut inside, 2);
        let first = self.facts.imports.len();
        self.parser.lexer.advance()?;
        self.block(inside)?;
        let last = self.facts.imports.len();
        let mut handler = inside;
        handler.is_optional = true;
        let (mut handlers, mut has_bare, mut catches) = (0, false, false);
        while self.parser.is_word(b"except") {
            self.parser.lexer.advance()?;
            self.parser.names.clear();
            if has_bare {
                return Err(Refusal);
            }
            let is_group = self.parser.accept(STAR)?;
            if is_group {
                self.parser.lexer.need(11);
                self.parser.lexer.doubt();
            }
            if self.parser.is(COLON) {
                has_bare = true;
                catches = true;
            } else {
                catches |= self.except_clause()?;
            }
            self.block(handler)?;
            handlers += 1;
        }
        if catches {
            for import in &mut self.facts.imports[first..last] {
                import.is_optional = true;
            }
        }
        if handlers > 0 && self.parser.accept_word(b"else")? {
            self.block(inside)?;
        }
        if self.parser.accept_word(b"finally")? {
            self.block(inside)?;
        } else if handlers == 0 {
            return Err(Refusal);
        }
        Ok(())
    }

    /// What a handler catches; True where that is a failed import.
    fn except_clause(&mut self) -> Outcome<bool> {
        let kind = self.parser.expression()?;
        self.refuse_calls();
        let catches = matches!(kind.what, What::Name | What::Tuple)
            && self.parser.names.iter().any(|name| {
                matches!(
                    self.parser.slice(*name),
                    b"ImportError" | b"ModuleNotFoundError" | b"Exception" | b"BaseException"
                )
            });
        if self.parser.accept_word(b"as")? {
            let name = self.parser.expect_name()?;
            if self.scope.kind == ScopeKind::Function {
                self.scope.bound.push(self.parser.slice(name));
            }
        }
        Ok(catches)
    }

    fn with_statement(&mut self, around: Around) -> Outcome<()> {
        let line = self.parser.lexer.token.line;
        self.parser.lexer.advance()?;
        let attempt = self.attempt();
        let found = if self.parser.is(OPEN) { self.grouped_items().ok() } else { None };
        let (forgives, items) = match found {
            Some(found) => found,
            None => {
                self.give_up(&attempt);
                self.with_items()?
            }
        };
        self.bind_names(around, line);
        self.take_calls(around);
        let mut inside = around;
        inside.is_optional |= forgives;
        self.nest(&mut inside, items);
        self.block(inside)
    }

    /// `(a as b, c):`, which Python knows since 3.9.
    fn grouped_items(&mut self) -> Outcome<(bool, u32)> {
        self.parser.lexer.advance()?;
        let mut forgives = false;
        let mut count = 0;
        let mut is_new = false;
        while !self.parser.is(CLOSE) {
            forgives |= self.with_item()?;
            is_new |= self.parser.names.len() > 0 || self.parser.is(COMMA);
            count += 1;
            if !self.parser.accept(COMMA)? {
                break;
            }
        }
        self.parser.expect(CLOSE)?;
        if count == 0 || !self.parser.is(COLON) {
            return Err(Refusal);
        }
        if is_new {
            self.parser.lexer.need(9);
        }
        Ok((forgives, count))
    }

    fn with_items(&mut self) -> Outcome<(bool, u32)> {
        let mut forgives = false;
        let mut count = 0;
        loop {
            forgives |= self.with_item()?;
            count += 1;
            if !self.parser.accept(COMMA)? {
                return Ok((forgives, count));
            }
        }
    }

    /// One item; True where it suppresses failed imports.
    fn with_item(&mut self) -> Outcome<bool> {
        let mark = self.parser.names.len();
        let found = self.parser.expression()?;
        self.parser.names.truncate(mark);
        if self.parser.accept_word(b"as")? {
            self.parser.target()?;
        }
        let is_suppress = found.what == What::Call && self.parser.slice(found.name) == b"suppress";
        Ok(is_suppress && found.has_import_error)
    }

    fn async_statement(&mut self, around: Around) -> Outcome<()> {
        let place = self.parser.lexer.token;
        self.parser.lexer.advance()?;
        if self.parser.is_word(b"def") {
            self.parser.lexer.token.line = place.line;
            return self.function(around, true);
        }
        if self.scope.kind != ScopeKind::Function || !self.scope.is_async {
            self.parser.lexer.doubt();
        }
        self.parser.lexer.token.line = place.line;
        if self.parser.is_word(b"for") {
            self.for_statement(around)
        } else if self.parser.is_word(b"with") {
            self.with_statement(around)
        } else {
            Err(Refusal)
        }
    }

    fn decorated(&mut self, around: Around) -> Outcome<()> {
        while self.parser.accept(code_of(b"@"))? {
            self.parser.names.clear();
            let attempt = self.attempt();
            if self.plain_decorator().is_err() || self.parser.lexer.token.kind != Kind::LineEnd {
                self.give_up(&attempt);
                self.parser.named_expression()?;
                self.parser.lexer.need(9);
            }
            if self.parser.lexer.token.kind != Kind::LineEnd {
                return Err(Refusal);
            }
            self.parser.lexer.advance()?;
        }
        self.parser.names.clear();
        if self.parser.is_word(b"def") {
            self.function(around, false)
        } else if self.parser.is_word(b"class") {
            self.class(around)
        } else if self.parser.is_word(b"async") {
            let line = self.parser.lexer.token.line;
            self.parser.lexer.advance()?;
            self.parser.lexer.token.line = line;
            if self.parser.is_word(b"def") { self.function(around, true) } else { Err(Refusal) }
        } else {
            Err(Refusal)
        }
    }

    /// A dotted name, and perhaps a call of it.
    fn plain_decorator(&mut self) -> Outcome<()> {
        self.parser.expect_name()?;
        while self.parser.accept(DOT)? {
            self.parser.expect_name()?;
        }
        if self.parser.accept(OPEN)? {
            self.parser.arguments(true)?;
        }
        Ok(())
    }

    fn function(&mut self, around: Around, is_async: bool) -> Outcome<()> {
        let token = self.parser.lexer.token;
        self.parser.lexer.advance()?;
        let name = self.parser.expect_name()?;
        self.bind(around, name, token.line);
        self.type_parameters()?;
        self.parser.expect(OPEN)?;
        self.parser.has_union = false;
        let parameters = self.parser.parameters(CLOSE)?;
        self.parser.expect(CLOSE)?;
        if self.parser.accept(code_of(b"->"))? {
            self.parser.annotations += 1;
            self.parser.expression()?;
            self.parser.annotations -= 1;
        }
        if self.parser.has_union && !self.is_lazy {
            self.parser.lexer.need(10);
        }
        self.take_calls(around);
        let outer = self.enter(ScopeKind::Function, self.parser.lexer.token.start, is_async);
        self.scope.bound = parameters;
        let inside = Around {
            is_visible: false,
            is_deferred: true,
            is_loop: false,
            blocks: 0,
            ..around
        };
        self.block(inside)?;
        if is_async && self.parser.yields && self.scope.returns_value {
            self.parser.lexer.doubt();
        }
        self.leave(outer);
        Ok(())
    }

    fn class(&mut self, around: Around) -> Outcome<()> {
        let token = self.parser.lexer.token;
        self.parser.lexer.advance()?;
        let name = self.parser.expect_name()?;
        self.bind(around, name, token.line);
        self.type_parameters()?;
        if self.parser.accept(OPEN)? {
            self.parser.arguments(false)?;
        }
        self.take_calls(around);
        let outer = self.enter(ScopeKind::Class, token.start, false);
        let inside = Around { is_visible: false, is_loop: false, blocks: 0, ..around };
        self.block(inside)?;
        self.leave(outer);
        Ok(())
    }

    fn enter(&mut self, kind: ScopeKind, start: usize, is_async: bool) -> Scope<'a> {
        let parser = &mut self.parser;
        let is_function = kind == ScopeKind::Function;
        let inner = Scope {
            kind,
            start,
            is_fresh: true,
            globals: 0,
            returns_value: false,
            is_async,
            may_yield: is_function,
            yields: false,
            bound: Vec::new(),
            made_global: Vec::new(),
            nonlocals: Vec::new(),
            wanted: Vec::new(),
        };
        let mut outer = std::mem::replace(&mut self.scope, inner);
        outer.yields = parser.yields;
        parser.is_async = is_async;
        parser.is_class = kind == ScopeKind::Class;
        parser.may_yield = is_function;
        parser.yields = false;
        outer
    }

    fn leave(&mut self, outer: Scope<'a>) {
        self.parser.is_async = outer.is_async;
        self.parser.is_class = outer.kind == ScopeKind::Class;
        self.parser.may_yield = outer.may_yield;
        self.parser.yields = outer.yields;
        let inner = std::mem::replace(&mut self.scope, outer);
        let mut missing = inner.nonlocals;
        for name in inner.wanted {
            if inner.kind == ScopeKind::Class {
                missing.push(name); // functions do not see the names of a class around them
            } else if inner.made_global.contains(&name) {
                self.parser.lexer.doubt();
            } else if !inner.bound.contains(&name) {
                missing.push(name);
            }
        }
        if self.scope.kind != ScopeKind::Module {
            self.scope.wanted.append(&mut missing);
        } else if !missing.is_empty() {
            self.parser.lexer.doubt();
        }
    }

    /// `[T, *Ts]`, which Python knows since 3.12: the compiler judges them.
    fn type_parameters(&mut self) -> Outcome<()> {
        if !self.parser.is(code_of(b"[")) {
            return Ok(());
        }
        self.parser.lexer.need(13);
        self.parser.lexer.doubt();
        let depth = self.parser.lexer.depth;
        while self.parser.lexer.depth >= depth {
            self.parser.lexer.advance()?;
            if self.parser.lexer.token.kind == Kind::End {
                return Err(Refusal);
            }
        }
        self.parser.lexer.advance()
    }

    /// A `match` statement; False where `match` is only a name. The compiler judges its patterns.
    fn match_statement(&mut self, around: Around) -> Outcome<bool> {
        let attempt = self.attempt();
        self.parser.lexer.advance()?;
        let is_subject = self.parser.begins_expression()
            && self.subject().is_ok()
            && self.parser.is(COLON)
            && self.parser.lexer.advance().is_ok()
            && self.parser.lexer.token.kind == Kind::LineEnd
            && self.next_line_begins_case();
        if !is_subject {
            self.give_up(&attempt);
            return Ok(false);
        }
        self.is_head = false;
        self.parser.lexer.need(10);
        self.parser.lexer.doubt();
        self.parser.lexer.advance()?;
        if self.parser.lexer.token.kind != Kind::Indent {
            return Err(Refusal);
        }
        self.parser.lexer.advance()?;
        self.take_calls(around);
        let mut inside = around;
        inside.is_case |= around.condition == Condition::None;
        while self.parser.lexer.token.kind != Kind::Dedent {
            if self.parser.lexer.token.kind != Kind::Name || self.parser.lexer.word() != b"case" {
                return Err(Refusal);
            }
            self.parser.lexer.advance()?;
            self.parser.names.clear();
            let depth = self.parser.lexer.depth;
            while !(self.parser.lexer.depth == depth
                && (self.parser.is(COLON) || self.parser.is_word(b"if")))
            {
                if matches!(self.parser.lexer.token.kind, Kind::LineEnd | Kind::End) {
                    return Err(Refusal);
                }
                self.parser.lexer.advance()?;
            }
            if self.parser.accept_word(b"if")? {
                self.parser.named_expression()?;
                self.refuse_calls();
            }
            self.block(inside)?;
        }
        self.parser.lexer.advance()?;
        Ok(true)
    }

    fn subject(&mut self) -> Outcome<()> {
        loop {
            self.parser.star_expression(true)?;
            if !self.parser.accept(COMMA)? || self.parser.is(COLON) {
                return Ok(());
            }
        }
    }

    fn next_line_begins_case(&self) -> bool {
        let rest = &self.parser.lexer.text[self.parser.lexer.at..];
        rest.split(|byte| *byte == b'\n')
            .map(|line| line.iter().skip_while(|byte| byte.is_ascii_whitespace()))
            .find_map(|line| {
                let word: Vec<u8> = line.take(5).copied().collect();
                if word.is_empty() || word[0] == b'#' { None } else { Some(word) }
            })
            .map_or(false, |word| {
                word.starts_with(b"case") && !word[4..].first().map_or(false, |byte| {
                    byte.is_ascii_alphanumeric() || *byte == b'_'
                })
            })
    }

    // Simple statements

    fn simple_statements(&mut self, around: Around) -> Outcome<()> {
        loop {
            self.parser.names.clear();
            self.simple_statement(around)?;
            self.take_calls(around);
            self.is_first = false;
            self.scope.is_fresh = false;
            let is_end = self.parser.lexer.token.kind == Kind::LineEnd;
            if !is_end {
                self.parser.expect(SEMICOLON)?;
                if self.parser.lexer.token.kind != Kind::LineEnd {
                    continue;
                }
            }
            return self.parser.lexer.advance();
        }
    }

    fn simple_statement(&mut self, around: Around) -> Outcome<()> {
        let token = self.parser.lexer.token;
        if token.kind == Kind::Keyword {
            let word = self.parser.lexer.word();
            if word == b"from" {
                return self.import_from(around); // which may be of the head
            }
            let was_head = self.is_head;
            self.is_head = false;
            match word {
                b"import" => return self.import(around),
                b"pass" => return self.parser.lexer.advance(),
                b"break" | b"continue" => {
                    if !around.is_loop {
                        self.parser.lexer.doubt();
                    }
                    return self.parser.lexer.advance();
                }
                b"return" => return self.return_statement(),
                b"raise" => return self.raise_statement(),
                b"assert" => {
                    self.parser.lexer.advance()?;
                    self.parser.expression()?;
                    if self.parser.accept(COMMA)? {
                        self.parser.expression()?;
                    }
                    return Ok(());
                }
                b"del" => return self.del_statement(around),
                b"global" | b"nonlocal" => return self.global_statement(),
                _ => self.is_head = was_head,
            }
        }
        let is_alias = token.kind == Kind::Name
            && self.parser.lexer.word() == b"type"
            && self.begins_alias();
        if is_alias {
            return self.type_alias(around);
        }
        self.expression_statement(around)
    }

    fn begins_alias(&self) -> bool {
        let rest = &self.parser.lexer.text[self.parser.lexer.at..];
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let next = &rest[blanks..];
        let length =
            next.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        blanks > 0
            && length > 0
            && !next[0].is_ascii_digit()
            && !matches!(&next[..length], b"if" | b"in" | b"is" | b"and" | b"or" | b"not")
    }

    fn type_alias(&mut self, around: Around) -> Outcome<()> {
        let line = self.parser.lexer.token.line;
        self.is_head = false;
        self.parser.lexer.advance()?;
        self.parser.lexer.need(12);
        self.parser.lexer.doubt();
        let name = self.parser.expect_name()?;
        self.type_parameters()?;
        self.parser.expect(EQUALS)?;
        self.parser.expression()?;
        self.bind(around, name, line);
        Ok(())
    }

    fn return_statement(&mut self) -> Outcome<()> {
        self.parser.lexer.advance()?;
        if self.scope.kind != ScopeKind::Function {
            self.parser.lexer.doubt();
        }
        if self.parser.begins_expression() {
            self.scope.returns_value = true;
            self.parser.star_expressions()?;
        }
        Ok(())
    }

    fn raise_statement(&mut self) -> Outcome<()> {
        self.parser.lexer.advance()?;
        if self.parser.begins_expression() {
            self.parser.expression()?;
            if self.parser.accept_word(b"from")? {
                self.parser.expression()?;
            }
        }
        Ok(())
    }

    fn del_statement(&mut self, around: Around) -> Outcome<()> {
        let line = self.parser.lexer.token.line;
        self.parser.lexer.advance()?;
        loop {
            let found = self.parser.primary()?;
            if !found.is_deletable {
                return Err(Refusal);
            }
            if found.what == What::Name {
                if around.is_visible {
                    self.facts.unbind(self.parser.slice(found.name));
                }
                if !around.is_outermost {
                    self.facts.further.push((self.parser.slice(found.name), line));
                }
            }
            if !self.parser.accept(COMMA)? || !self.parser.begins_expression() {
                return Ok(());
            }
        }
    }

    fn global_statement(&mut self) -> Outcome<()> {
        let token = self.parser.lexer.token;
        let is_global = self.parser.lexer.word() == b"global";
        let is_function = self.scope.kind == ScopeKind::Function;
        if self.scope.kind == ScopeKind::Module {
            return Err(Refusal);
        }
        if !is_function {
            self.parser.lexer.doubt();
        }
        self.parser.lexer.advance()?;
        loop {
            let name = self.parser.expect_name()?;
            let before = self.parser.lexer.slice(self.scope.start, token.start);
            self.scope.globals += 1;
            let is_parameter = self.scope.bound.contains(&self.parser.slice(name));
            if is_parameter
                || self.scope.globals > MAX_GLOBALS
                || before.len() > FAR
                || contains_word(before, self.parser.slice(name))
            {
                self.parser.lexer.doubt(); // it may be used before
            }
            let name = self.parser.slice(name);
            if is_global {
                self.facts.further.push((name, token.line));
                self.scope.made_global.push(name);
            } else {
                self.scope.nonlocals.push(name);
            }
            if !self.parser.accept(COMMA)? {
                return Ok(());
            }
        }
    }

    fn import(&mut self, around: Around) -> Outcome<()> {
        let line = self.parser.lexer.token.line;
        self.parser.lexer.advance()?;
        loop {
            let module = self.dotted_name()?;
            let is_renamed = self.parser.accept_word(b"as")?;
            let name = if is_renamed {
                self.parser.expect_name()?
            } else {
                let first = self.parser.slice(module).iter().position(|byte| *byte == b'.');
                (module.0, first.map_or(module.1, |length| module.0 + length))
            };
            self.bind(around, name, line);
            let name = self.parser.slice(name);
            let module = self.parser.slice(module);
            let mut import = Import::new(module, 0, Vec::new(), line);
            if module == b"importlib" || (!is_renamed && name == b"importlib") {
                import.importlib = Some(name);
            }
            self.facts.add_import(around, import);
            if !self.parser.accept(COMMA)? {
                return Ok(());
            }
        }
    }

    fn dotted_name(&mut self) -> Outcome<(usize, usize)> {
        let mut place = self.parser.expect_name()?;
        while self.parser.is(DOT) {
            let at = self.parser.lexer.token.start;
            self.parser.lexer.advance()?;
            let next = self.parser.expect_name()?;
            if at != place.1 || next.0 != at + 1 {
                return Err(Refusal); // blanks between the parts
            }
            place.1 = next.1;
        }
        Ok(place)
    }

    fn import_from(&mut self, around: Around) -> Outcome<()> {
        let line = self.parser.lexer.token.line;
        self.parser.lexer.advance()?;
        let mut level = 0;
        loop {
            level += if self.parser.accept(DOTS)? {
                3
            } else if self.parser.accept(DOT)? {
                1
            } else {
                break;
            };
        }
        let has_module = level == 0 || !self.parser.is_word(b"import");
        let module: &[u8] =
            if has_module { let place = self.dotted_name()?; self.parser.slice(place) } else { b"" };
        self.parser.expect_word(b"import")?;
        let is_future = module == b"__future__";
        if is_future && (level > 0 || !self.is_head || !around.is_outermost) {
            return Err(Refusal);
        }
        self.is_head &= is_future;
        let mut names: Vec<&'a [u8]> = Vec::new();
        if self.parser.accept(STAR)? {
            if self.scope.kind != ScopeKind::Module || is_future {
                self.parser.lexer.doubt();
            }
            names.push(b"*");
            self.bind_word(around, b"*", line);
        } else {
            let is_grouped = self.parser.accept(OPEN)?;
            loop {
                let place = self.parser.expect_name()?;
                let name = self.parser.slice(place);
                let bound =
                    if self.parser.accept_word(b"as")? { self.parser.expect_name()? } else { place };
                names.push(name);
                self.bind(around, bound, line);
                // Any call may be one of a function under another name.
                self.parser.is_unsure |=
                    module == b"importlib" && may_import(name) && bound != place;
                if is_future {
                    self.is_lazy |= name == b"annotations";
                    if !FUTURES.contains(&name) {
                        self.parser.lexer.doubt();
                    }
                }
                if !self.parser.accept(COMMA)? || (is_grouped && self.parser.is(CLOSE)) {
                    break;
                }
            }
            if is_grouped {
                self.parser.expect(CLOSE)?;
            }
        }
        self.facts.add_import(around, Import::new(module, level, names, line));
        Ok(())
    }

    fn expression_statement(&mut self, around: Around) -> Outcome<()> {
        let token = self.parser.lexer.token;
        let was_head = std::mem::replace(&mut self.is_head, false);
        if self.parser.is_word(b"yield") {
            return self.parser.yield_expression();
        }
        let first = self.parser.star_expressions()?;
        if self.parser.is(EQUALS) {
            return self.assignment(around, first, token.line);
        }
        if self.parser.is(COLON) {
            return self.annotated(around, &first, token.line);
        }
        if self.is_augmented() {
            return self.augmented(around, &first, token.line);
        }
        if first.what == What::Text && self.scope.is_fresh {
            self.scope.start = self.parser.lexer.last_end;
        }
        self.is_head = was_head && self.is_first && matches!(first.what, What::Text | What::False);
        if around.is_visible && self.parser.lexer.slice(first.start, first.end).starts_with(b"__all__")
        {
            let text = self.parser.lexer.slice(first.start, first.end);
            let change = exported_change(text);
            self.facts.change_exported(change, token.line);
        }
        Ok(())
    }

    fn assignment(&mut self, around: Around, first: Expression, line: u32) -> Outcome<()> {
        let mut target = first;
        let mut is_exported = false;
        let mut is_version = false;
        loop {
            if !target.is_target {
                return Err(Refusal);
            }
            self.bind_names(around, line);
            if target.what == What::Name {
                let name = self.parser.slice(target.name);
                is_exported |= name == b"__all__";
                is_version |= name == b"__version__";
            }
            if around.is_outermost && target.what == What::Attribute && target.owner.1 > 0 {
                let owner = self.parser.slice(target.owner);
                self.facts.elsewhere.push((owner, self.parser.slice(target.name)));
            }
            self.parser.lexer.advance()?;
            if self.parser.is_word(b"yield") {
                self.parser.yield_expression()?;
                return if self.parser.is(EQUALS) { Err(Refusal) } else { Ok(()) };
            }
            let value = self.parser.star_expressions()?;
            if self.parser.is(EQUALS) {
                target = value;
                continue;
            }
            let text = self.parser.lexer.slice(value.start, value.end);
            if is_exported && around.is_visible {
                self.facts.change_exported(Some((b'=', strings_of(text))), line);
            }
            if is_version && around.is_outermost {
                self.facts.set_version(&value, text, line);
            }
            return Ok(());
        }
    }

    fn annotated(&mut self, around: Around, target: &Expression, line: u32) -> Outcome<()> {
        let is_known = matches!(target.what, What::Name | What::Attribute | What::Subscript);
        if !target.is_target || !is_known {
            return Err(Refusal);
        }
        if self.scope.globals > 0 {
            self.parser.lexer.doubt();
        }
        let mark = self.parser.names.len();
        self.parser.lexer.advance()?;
        self.parser.annotations += 1;
        self.parser.expression()?;
        self.parser.annotations -= 1;
        self.parser.names.truncate(mark);
        if !self.parser.accept(EQUALS)? {
            return Ok(());
        }
        self.bind_names(around, line);
        if self.parser.is_word(b"yield") {
            return self.parser.yield_expression();
        }
        let value = self.parser.star_expressions()?;
        if target.what == What::Name {
            let text = self.parser.lexer.slice(value.start, value.end);
            let name = self.parser.slice(target.name);
            if name == b"__all__" && around.is_visible {
                self.facts.change_exported(Some((b'=', strings_of(text))), line);
            }
            if name == b"__version__" && around.is_outermost {
                self.facts.set_version(&value, text, line);
            }
        }
        Ok(())
    }

    fn is_augmented(&self) -> bool {
        let token = &self.parser.lexer.token;
        let text = self.parser.lexer.word();
        token.kind == Kind::Operator
            && text.len() > 1
            && text.ends_with(b"=")
            && !matches!(text, b"==" | b"!=" | b"<=" | b">=" | b":=")
    }

    fn augmented(&mut self, around: Around, target: &Expression, line: u32) -> Outcome<()> {
        let is_known = matches!(target.what, What::Name | What::Attribute | What::Subscript);
        if !target.is_target || !is_known {
            return Err(Refusal);
        }
        self.bind_names(around, line);
        self.parser.lexer.advance()?;
        if self.parser.is_word(b"yield") {
            return self.parser.yield_expression();
        }
        let value = self.parser.star_expressions()?;
        let is_exported =
            target.what == What::Name && self.parser.slice(target.name) == b"__all__";
        if is_exported && around.is_visible {
            let text = self.parser.lexer.slice(value.start, value.end);
            self.facts.change_exported(Some((b'+', strings_of(text))), line);
        }
        Ok(())
    }

    // Names

    fn bind(&mut self, around: Around, name: (usize, usize), line: u32) {
        self.bind_word(around, self.parser.slice(name), line);
    }

    fn bind_word(&mut self, around: Around, name: &'a [u8], line: u32) {
        if around.is_visible {
            self.facts.bind(name, line);
        } else if self.scope.kind == ScopeKind::Function {
            self.scope.bound.push(name);
        }
    }

    /// Bind the names of the target that was just read.
    fn bind_names(&mut self, around: Around, line: u32) {
        for at in 0..self.parser.names.len() {
            self.bind(around, self.parser.names[at], line);
        }
        self.parser.names.clear();
    }
}
