//! Statements: their grammar, and what those of the module itself bind and import.

use crate::expressions::{Parser, COLON};
use crate::facts::{Facts, Import};
use crate::lexer::{code_of, Kind, Lexer, Outcome, Place, Refusal};
use crate::scopes::{Scope, ScopeKind};

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
    pub is_case: bool,
    pub is_loop: bool,
    pub blocks: u32,
}

/// The outermost `if` that does not ask for type checking.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    None,
    If,
    Main,
}

pub struct Module<'a> {
    pub parser: Parser<'a>,
    pub facts: Facts<'a>,
    pub scope: Scope<'a>,
    /// Nothing but a docstring and imports from `__future__` was there yet; not even that.
    pub is_head: bool,
    pub is_first: bool,
    pub is_lazy: bool,
}

pub struct Attempt {
    place: Place,
    names: usize,
    calls: usize,
    level: u32,
    lambdas: u32,
    comprehensions: u32,
    iterables: u32,
    annotations: u32,
}

/// The compiler takes twenty.
const SURE_BLOCKS: u32 = 12;

/// Read a module; what is left open is in `facts`.
pub fn read_module(text: &[u8]) -> Outcome<Facts<'_>> {
    let mut module = Module {
        parser: Parser::new(Lexer::new(text)),
        facts: Facts::default(),
        scope: Scope::new(ScopeKind::Module, 0, false),
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

    /// What to come back to with `give_up`, where a statement may turn out to be another.
    pub fn attempt(&self) -> Attempt {
        let parser = &self.parser;
        Attempt {
            place: parser.lexer.place(),
            names: parser.names.len(),
            calls: parser.calls.len(),
            level: parser.level,
            lambdas: parser.lambdas,
            comprehensions: parser.comprehensions,
            iterables: parser.iterables,
            annotations: parser.annotations,
        }
    }

    pub fn give_up(&mut self, attempt: &Attempt) {
        let parser = &mut self.parser;
        parser.lexer.restore(attempt.place);
        parser.names.truncate(attempt.names);
        parser.calls.truncate(attempt.calls);
        parser.level = attempt.level;
        parser.lambdas = attempt.lambdas;
        parser.comprehensions = attempt.comprehensions;
        parser.iterables = attempt.iterables;
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
    pub fn block(&mut self, around: Around) -> Outcome<()> {
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

    /// The calls that may import, of what was just read, belong where it stands.
    pub fn take_calls(&mut self, around: Around) {
        let is_sure = self.parser.calls.len() < 2; // the tree knows the order of several
        self.add_calls(around, is_sure);
    }

    /// The same of a condition: whether its lines are in it, is the tree's affair.
    pub fn doubt_calls(&mut self, around: Around) {
        self.add_calls(around, false);
    }

    fn add_calls(&mut self, around: Around, is_sure: bool) {
        for call in self.parser.calls.drain(..) {
            self.facts.add_import(around, Import::by_call(call, is_sure));
        }
    }

    /// Go into blocks of which the compiler takes only so many.
    pub fn nest(&mut self, around: &mut Around, blocks: u32) {
        around.blocks += blocks;
        if around.blocks > SURE_BLOCKS {
            self.parser.lexer.doubt();
        }
    }
}
