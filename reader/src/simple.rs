//! Simple statements, but for assignments and imports.

use crate::expressions::{What, COMMA, EQUALS};
use crate::lexer::{code_of, Kind, Outcome, Refusal};
use crate::scopes::ScopeKind;
use crate::statements::{Around, Module};

const SEMICOLON: u32 = code_of(b";");

impl<'a> Module<'a> {
    pub fn simple_statements(&mut self, around: Around) -> Outcome<()> {
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

    pub fn simple_statement(&mut self, around: Around) -> Outcome<()> {
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
        let is_alias =
            token.kind == Kind::Name && self.parser.lexer.word() == b"type" && self.begins_alias();
        if is_alias {
            return self.type_alias(around);
        }
        self.expression_statement(around)
    }

    pub fn begins_alias(&self) -> bool {
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

    pub fn type_alias(&mut self, around: Around) -> Outcome<()> {
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

    pub fn return_statement(&mut self) -> Outcome<()> {
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

    pub fn raise_statement(&mut self) -> Outcome<()> {
        self.parser.lexer.advance()?;
        if self.parser.begins_expression() {
            self.parser.expression()?;
            if self.parser.accept_word(b"from")? {
                self.parser.expression()?;
            }
        }
        Ok(())
    }

    pub fn del_statement(&mut self, around: Around) -> Outcome<()> {
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
}
