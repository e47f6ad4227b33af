//! Modules, classes and functions as scopes: whose names the statements bind.

use crate::expressions::COMMA;
use crate::lexer::{Outcome, Refusal};
use crate::statements::{Around, Module};
use crate::texts::contains_word;

/// So many names are searched in so many bytes of a function before `global`.
const MAX_GLOBALS: u32 = 60;
const FAR: usize = 20_000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    Module,
    Class,
    Function,
}

/// Whose names the statements bind.
pub struct Scope<'a> {
    pub kind: ScopeKind,
    /// Where its statements begin, after a docstring.
    pub start: usize,
    pub is_fresh: bool,
    pub globals: u32,
    pub returns_value: bool,
    pub is_async: bool,
    pub may_yield: bool,
    pub yields: bool,
    /// Of a function: the names it binds, and those it takes from the module or from around.
    pub bound: Vec<&'a [u8]>,
    pub made_global: Vec<&'a [u8]>,
    pub nonlocals: Vec<&'a [u8]>,
    /// Names that functions inside take from around them.
    pub wanted: Vec<&'a [u8]>,
}

impl Scope<'_> {
    pub fn new(kind: ScopeKind, start: usize, is_async: bool) -> Self {
        Scope {
            kind,
            start,
            is_fresh: true,
            globals: 0,
            returns_value: false,
            is_async,
            may_yield: kind == ScopeKind::Function,
            yields: false,
            bound: Vec::new(),
            made_global: Vec::new(),
            nonlocals: Vec::new(),
            wanted: Vec::new(),
        }
    }
}

impl<'a> Module<'a> {
    pub fn enter(&mut self, kind: ScopeKind, start: usize, is_async: bool) -> Scope<'a> {
        let parser = &mut self.parser;
        let is_function = kind == ScopeKind::Function;
        let inner = Scope::new(kind, start, is_async);
        let mut outer = std::mem::replace(&mut self.scope, inner);
        outer.yields = parser.yields;
        parser.is_async = is_async;
        parser.is_class = kind == ScopeKind::Class;
        parser.may_yield = is_function;
        parser.yields = false;
        outer
    }

    pub fn leave(&mut self, outer: Scope<'a>) {
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

    pub fn global_statement(&mut self) -> Outcome<()> {
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

    pub fn bind(&mut self, around: Around, name: (usize, usize), line: u32) {
        self.bind_word(around, self.parser.slice(name), line);
    }

    pub fn bind_word(&mut self, around: Around, name: &'a [u8], line: u32) {
        if around.is_visible {
            self.facts.bind(name, line);
        } else if self.scope.kind == ScopeKind::Function {
            self.scope.bound.push(name);
        }
    }

    /// Bind the names of the target that was just read.
    pub fn bind_names(&mut self, around: Around, line: u32) {
        for at in 0..self.parser.names.len() {
            self.bind(around, self.parser.names[at], line);
        }
        self.parser.names.clear();
    }
}
