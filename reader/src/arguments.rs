//! Arguments of calls, parameters of functions, what is in square brackets and in f-strings.

use crate::expressions::{
    Expression, ImportCall, Parser, What, COLON, COMMA, EQUALS, IMPORT_ERRORS, STAR, STARS,
};
use crate::lexer::{code_of, Outcome, Refusal};
use crate::texts::{is_dotted_name, text_of};

const CLOSE: u32 = code_of(b")");
/// So many names are compared with each other; more are left to the compiler.
const MAX_COMPARED: usize = 60;

/// What is known of the arguments of a call.
#[derive(Default)]
pub struct Arguments {
    pub has_import_error: bool,
    positional: u32,
    has_level: bool,
    /// The first one, or the one called `name`.
    first: Option<Expression>,
}

impl<'a> Parser<'a> {
    /// From behind `(` to behind `)`.
    pub fn arguments(&mut self, may_generate: bool) -> Outcome<Arguments> {
        let mark = self.names.len();
        let mut keywords: Vec<&'a [u8]> = Vec::new();
        let mut has_mapping = false;
        let mut seen = Arguments::default();
        let mut count = 0;
        while !self.is(CLOSE) {
            if self.accept(STAR)? {
                if has_mapping {
                    return Err(Refusal);
                }
                self.expression()?;
                seen.positional += 1;
            } else if self.accept(STARS)? {
                self.expression()?;
                has_mapping = true;
            } else {
                let surprises = self.surprises;
                let found = self.named_expression()?;
                if self.is(EQUALS) {
                    if found.what != What::Name || found.is_grouped {
                        return Err(Refusal);
                    }
                    self.lexer.advance()?;
                    let value = self.expression()?;
                    self.add_distinct(&mut keywords, found.name)?;
                    match self.slice(found.name) {
                        b"name" if seen.positional == 0 => seen.first = Some(value),
                        b"level" => seen.has_level = true,
                        _ => (),
                    }
                } else if self.begins_comprehension() {
                    if !may_generate || count > 0 {
                        return Err(Refusal);
                    }
                    self.comprehension(surprises, true)?;
                    self.names.truncate(mark);
                    self.expect(CLOSE)?;
                    return Ok(seen);
                } else if has_mapping || !keywords.is_empty() {
                    return Err(Refusal);
                } else {
                    if seen.positional == 0 {
                        seen.first = Some(found);
                    }
                    seen.positional += 1;
                    let name = self.slice(found.name);
                    seen.has_import_error |=
                        found.what == What::Name && IMPORT_ERRORS.contains(&name);
                }
            }
            self.names.truncate(mark);
            count += 1;
            if !self.accept(COMMA)? {
                break;
            }
        }
        self.expect(CLOSE)?;
        Ok(seen)
    }

    /// The arguments of what may import; True where the name of an import error is among them.
    pub fn call_import(&mut self, function: &Expression, line: u32) -> Outcome<bool> {
        let seen = self.arguments(true)?;
        let is_attribute = function.what == What::Attribute;
        let is_relative = seen.positional > 4 || seen.has_level;
        let is_of_name = !is_attribute || function.owner.1 > 0;
        self.is_unsure |= self.lexer.fields > 0;
        // A name that is computed is nobody's to know.
        let text =
            seen.first.filter(|first| first.what == What::Text && !is_relative && is_of_name);
        if let Some(text) = text {
            match text_of(self.lexer.slice(text.start, text.end)) {
                Some(module) if is_dotted_name(module) => self.calls.push(ImportCall {
                    function: self.slice(function.name),
                    owner: self.slice(function.owner),
                    module,
                    line,
                }),
                // In parts, in parentheses or beyond ASCII.
                text => self.is_unsure |= text.map_or(true, |text| !text.is_ascii()),
            }
        }
        Ok(seen.has_import_error)
    }

    fn add_distinct(&mut self, names: &mut Vec<&'a [u8]>, place: (usize, usize)) -> Outcome<()> {
        let name = self.slice(place);
        if names.len() > MAX_COMPARED {
            self.lexer.doubt();
        } else if names.contains(&name) {
            return Err(Refusal);
        }
        names.push(name);
        Ok(())
    }

    /// The names of the parameters of a function, up to `)`, or of a lambda, up to `:`.
    pub fn parameters(&mut self, end: u32) -> Outcome<Vec<&'a [u8]>> {
        const SLASH: u32 = code_of(b"/");
        let mut names: Vec<&'a [u8]> = Vec::new();
        let (mut has_default, mut has_star, mut has_slash) = (false, false, false);
        let mut wants_name = false;
        let is_lambda = end == COLON;
        let mark = self.names.len();
        while !self.is(end) {
            if self.accept(SLASH)? {
                if names.is_empty() || has_star || has_slash {
                    return Err(Refusal);
                }
                has_slash = true;
                self.lexer.need(8);
            } else if self.accept(STARS)? {
                if wants_name {
                    return Err(Refusal);
                }
                let name = self.expect_name()?;
                self.add_distinct(&mut names, name)?;
                self.annotation(is_lambda, false)?;
                self.accept(COMMA)?;
                break;
            } else if self.accept(STAR)? {
                if has_star {
                    return Err(Refusal);
                }
                has_star = true;
                if self.is(COMMA) {
                    wants_name = true;
                } else {
                    let name = self.expect_name()?;
                    self.add_distinct(&mut names, name)?;
                    self.annotation(is_lambda, true)?;
                }
            } else {
                let name = self.expect_name()?;
                self.add_distinct(&mut names, name)?;
                self.annotation(is_lambda, false)?;
                wants_name = false;
                if self.accept(EQUALS)? {
                    self.expression()?;
                    has_default = true;
                } else if has_default && !has_star {
                    return Err(Refusal);
                }
            }
            self.names.truncate(mark);
            if !self.accept(COMMA)? {
                break;
            }
        }
        self.names.truncate(mark);
        if wants_name || !self.is(end) {
            Err(Refusal)
        } else {
            Ok(names)
        }
    }

    fn annotation(&mut self, is_lambda: bool, may_star: bool) -> Outcome<()> {
        if is_lambda || !self.accept(COLON)? {
            return Ok(());
        }
        self.annotations += 1;
        if may_star && self.accept(STAR)? {
            self.lexer.need(11);
            self.binary(5)?;
        } else {
            self.expression()?;
        }
        self.annotations -= 1;
        Ok(())
    }

    /// From behind `[` to behind `]`.
    pub fn slices(&mut self) -> Outcome<()> {
        const END: u32 = code_of(b"]");
        if self.is(END) {
            return Err(Refusal);
        }
        while !self.is(END) {
            if self.accept(STAR)? {
                self.lexer.need(11);
                self.expression()?;
            } else {
                let surprises = self.surprises;
                if !self.is(COLON) {
                    self.named_expression()?;
                }
                if self.is(COLON) && self.surprises != surprises {
                    self.lexer.doubt(); // a part of a slice cannot be named
                }
                for _ in 0..2 {
                    if self.accept(COLON)? && !self.is(COLON) && !self.is(COMMA) && !self.is(END) {
                        self.expression()?;
                    }
                }
            }
            if !self.accept(COMMA)? {
                break;
            }
        }
        self.expect(END)
    }
}
