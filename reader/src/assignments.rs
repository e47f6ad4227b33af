//! Expressions that are statements, and assignments.

use crate::expressions::{Expression, What, COLON, EQUALS};
use crate::lexer::{Kind, Outcome, Refusal};
use crate::statements::{Around, Module};
use crate::texts::{exported_change, strings_of};

impl<'a> Module<'a> {
    pub fn expression_statement(&mut self, around: Around) -> Outcome<()> {
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
        if around.is_visible
            && self.parser.lexer.slice(first.start, first.end).starts_with(b"__all__")
        {
            let text = self.parser.lexer.slice(first.start, first.end);
            let change = exported_change(text);
            self.facts.change_exported(change, token.line);
        }
        Ok(())
    }

    pub fn assignment(&mut self, around: Around, first: Expression, line: u32) -> Outcome<()> {
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

    pub fn annotated(&mut self, around: Around, target: &Expression, line: u32) -> Outcome<()> {
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

    pub fn is_augmented(&self) -> bool {
        let token = &self.parser.lexer.token;
        let text = self.parser.lexer.word();
        token.kind == Kind::Operator
            && text.len() > 1
            && text.ends_with(b"=")
            && !matches!(text, b"==" | b"!=" | b"<=" | b">=" | b":=")
    }

    pub fn augmented(&mut self, around: Around, target: &Expression, line: u32) -> Outcome<()> {
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
        let is_exported = target.what == What::Name && self.parser.slice(target.name) == b"__all__";
        if is_exported && around.is_visible {
            let text = self.parser.lexer.slice(value.start, value.end);
            self.facts.change_exported(Some((b'+', strings_of(text))), line);
        }
        Ok(())
    }
}
