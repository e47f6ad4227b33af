//! Import statements, and calls that import.

use crate::expressions::{may_import, COMMA, STAR};
use crate::facts::Import;
use crate::lexer::{code_of, Outcome, Refusal};
use crate::scopes::ScopeKind;
use crate::statements::{Around, Module};

const DOT: u32 = code_of(b".");
const DOTS: u32 = code_of(b"...");
const OPEN: u32 = code_of(b"(");
const CLOSE: u32 = code_of(b")");
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

impl<'a> Module<'a> {
    pub fn import(&mut self, around: Around) -> Outcome<()> {
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

    pub fn dotted_name(&mut self) -> Outcome<(usize, usize)> {
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

    pub fn import_from(&mut self, around: Around) -> Outcome<()> {
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
        let module: &[u8] = if has_module {
            let place = self.dotted_name()?;
            self.parser.slice(place)
        } else {
            b""
        };
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
                let bound = if self.parser.accept_word(b"as")? {
                    self.parser.expect_name()?
                } else {
                    place
                };
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
}
