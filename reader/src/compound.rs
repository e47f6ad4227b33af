//! Compound statements: those with blocks.

use crate::expressions::{may_import, What, COLON, COMMA, STAR};
use crate::lexer::{code_of, Kind, Outcome, Refusal};
use crate::scopes::ScopeKind;
use crate::statements::{Around, Condition, Module};
use crate::texts::contains;

const DOT: u32 = code_of(b".");
const OPEN: u32 = code_of(b"(");
const CLOSE: u32 = code_of(b")");
const SURE_BRANCHES: u32 = 60;

impl<'a> Module<'a> {
    pub fn if_statement(&mut self, around: Around) -> Outcome<()> {
        let mut rest = around; // what is around this branch and those that follow
        let mut branches = 0;
        loop {
            self.parser.lexer.advance()?;
            self.parser.names.clear();
            let start = self.parser.lexer.token.start;
            self.parser.asks_for_platform = false;
            let test = self.parser.named_expression()?;
            let asks_for_platform = self.parser.asks_for_platform;
            self.doubt_calls(around);
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
                rest.is_optional |= asks_for_platform;
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

    pub fn for_statement(&mut self, around: Around) -> Outcome<()> {
        let line = self.parser.lexer.token.line;
        self.parser.lexer.advance()?;
        self.parser.targets()?;
        self.bind_names(around, line);
        self.parser.expect_word(b"in")?;
        self.parser.star_expressions()?;
        self.loop_blocks(around)
    }

    pub fn while_statement(&mut self, around: Around) -> Outcome<()> {
        self.parser.lexer.advance()?;
        self.parser.named_expression()?;
        self.loop_blocks(around)
    }

    pub fn loop_blocks(&mut self, around: Around) -> Outcome<()> {
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

    pub fn try_statement(&mut self, around: Around) -> Outcome<()> {
        let mut inside = around;
        self.nest(&mut inside, 2);
        let first = self.facts.count_imports();
        self.parser.lexer.advance()?;
        self.block(inside)?;
        let last = self.facts.count_imports();
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
                catches |= self.except_clause(handler)?;
            }
            self.block(handler)?;
            handlers += 1;
        }
        if catches {
            self.facts.make_optional(first, last);
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
    pub fn except_clause(&mut self, around: Around) -> Outcome<bool> {
        let kind = self.parser.expression()?;
        self.doubt_calls(around);
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

    pub fn with_statement(&mut self, around: Around) -> Outcome<()> {
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
    pub fn grouped_items(&mut self) -> Outcome<(bool, u32)> {
        self.parser.lexer.advance()?;
        let mut forgives = false;
        let mut count = 0;
        let mut is_new = false;
        while !self.parser.is(CLOSE) {
            forgives |= self.with_item()?;
            is_new |= !self.parser.names.is_empty() || self.parser.is(COMMA);
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

    pub fn with_items(&mut self) -> Outcome<(bool, u32)> {
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
    pub fn with_item(&mut self) -> Outcome<bool> {
        let mark = self.parser.names.len();
        let found = self.parser.expression()?;
        self.parser.names.truncate(mark);
        if self.parser.accept_word(b"as")? {
            self.parser.target()?;
        }
        let is_suppress = found.what == What::Call && self.parser.slice(found.name) == b"suppress";
        Ok(is_suppress && found.has_import_error)
    }

    pub fn async_statement(&mut self, around: Around) -> Outcome<()> {
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

    pub fn decorated(&mut self, around: Around) -> Outcome<()> {
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
            if self.parser.is_word(b"def") {
                self.function(around, true)
            } else {
                Err(Refusal)
            }
        } else {
            Err(Refusal)
        }
    }

    /// A dotted name, and perhaps a call of it, which imports nothing.
    fn plain_decorator(&mut self) -> Outcome<()> {
        let mut name = self.parser.expect_name()?;
        while self.parser.accept(DOT)? {
            name = self.parser.expect_name()?;
        }
        if may_import(self.parser.slice(name)) {
            return Err(Refusal);
        }
        if self.parser.accept(OPEN)? {
            self.parser.arguments(true)?;
        }
        Ok(())
    }

    pub fn function(&mut self, around: Around, is_async: bool) -> Outcome<()> {
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
        let inside =
            Around { is_visible: false, is_deferred: true, is_loop: false, blocks: 0, ..around };
        self.block(inside)?;
        if is_async && self.parser.yields && self.scope.returns_value {
            self.parser.lexer.doubt();
        }
        self.leave(outer);
        Ok(())
    }

    pub fn class(&mut self, around: Around) -> Outcome<()> {
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

    /// `[T, *Ts]`, which Python knows since 3.12: the compiler judges them.
    pub fn type_parameters(&mut self) -> Outcome<()> {
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
    pub fn match_statement(&mut self, around: Around) -> Outcome<bool> {
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
                self.doubt_calls(inside);
            }
            self.block(inside)?;
        }
        self.parser.lexer.advance()?;
        Ok(true)
    }

    pub fn subject(&mut self) -> Outcome<()> {
        loop {
            self.parser.star_expression(true)?;
            if !self.parser.accept(COMMA)? || self.parser.is(COLON) {
                return Ok(());
            }
        }
    }

    pub fn next_line_begins_case(&self) -> bool {
        let rest = &self.parser.lexer.text[self.parser.lexer.at..];
        rest.split(|byte| *byte == b'\n')
            .map(|line| line.iter().skip_while(|byte| byte.is_ascii_whitespace()))
            .find_map(|line| {
                let word: Vec<u8> = line.take(5).copied().collect();
                if word.is_empty() || word[0] == b'#' {
                    None
                } else {
                    Some(word)
                }
            })
            .map_or(false, |word| {
                word.starts_with(b"case")
                    && !word[4..]
                        .first()
                        .map_or(false, |byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            })
    }
}
