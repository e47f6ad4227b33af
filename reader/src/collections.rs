//! Tuples, lists, sets, dictionaries, comprehensions, and what they are as targets.

use crate::expressions::{Expression, Parser, Surprises, What, COLON, COMMA, OR, STAR, STARS};
use crate::lexer::{code_of, Outcome, Refusal};

const CLOSE: u32 = code_of(b")");

/// What is known of the parts of a tuple or a list so far.
pub struct Parts {
    are_targets: bool,
    are_deletable: bool,
    count: u32,
    starred: u32,
}

impl Parser<'_> {
    /// After `(`: nothing, a tuple, a generator, `yield`, or one expression.
    pub fn group(&mut self) -> Outcome<Expression> {
        let start = self.lexer.token.start;
        self.lexer.advance()?;
        if self.accept(CLOSE)? {
            let mut empty = self.make(What::Tuple, start);
            empty.is_target = true;
            empty.is_deletable = true;
            return Ok(empty);
        }
        if self.is_word(b"yield") {
            self.yield_expression()?;
            self.expect(CLOSE)?;
            return Ok(self.make(What::Other, start));
        }
        let (first, is_generator) = self.first_part(CLOSE, true)?;
        if is_generator {
            return Ok(self.make(What::Other, start));
        }
        if self.is(COMMA) {
            let tuple = self.rest_of_list(first, CLOSE)?;
            return Ok(self.end_list(tuple, What::Tuple, start));
        }
        self.expect(CLOSE)?;
        if first.what == What::Starred {
            return Err(Refusal);
        }
        Ok(Expression { is_grouped: true, start, end: self.lexer.last_end, ..first })
    }

    /// The first expression in brackets, and whether a comprehension of it ends with `end`.
    fn first_part(&mut self, end: u32, is_generator: bool) -> Outcome<(Expression, bool)> {
        let mark = self.names.len();
        let surprises = self.surprises;
        let first = self.star_expression(true)?;
        if !self.begins_comprehension() {
            return Ok((first, false));
        }
        if first.what == What::Starred {
            return Err(Refusal);
        }
        self.comprehension(surprises, is_generator)?;
        self.names.truncate(mark);
        self.expect(end)?;
        Ok((first, true))
    }

    pub fn list(&mut self) -> Outcome<Expression> {
        let start = self.lexer.token.start;
        const END: u32 = code_of(b"]");
        self.lexer.advance()?;
        if self.accept(END)? {
            let mut empty = self.make(What::List, start);
            empty.is_target = true;
            empty.is_deletable = true;
            return Ok(empty);
        }
        let (first, is_comprehension) = self.first_part(END, false)?;
        if is_comprehension {
            return Ok(self.make(What::Other, start));
        }
        let list = self.rest_of_list(first, END)?;
        Ok(self.end_list(list, What::List, start))
    }

    /// A dictionary, a set, or a comprehension of one.
    pub fn braces(&mut self) -> Outcome<Expression> {
        const END: u32 = code_of(b"}");
        let start = self.lexer.token.start;
        let mark = self.names.len();
        self.lexer.advance()?;
        let mut is_dict = None;
        let mut count = 0;
        while !self.is(END) {
            let surprises = self.surprises;
            let is_pair;
            let mut may_be_element = true;
            if self.accept(STARS)? {
                self.binary(OR)?;
                is_pair = true;
                may_be_element = false;
            } else {
                let key = self.star_expression(true)?;
                may_be_element &= key.what != What::Starred;
                is_pair = self.is(COLON) && key.what != What::Starred;
                if is_pair {
                    if self.surprises != surprises {
                        self.lexer.doubt(); // a key cannot be named
                    }
                    self.lexer.advance()?;
                    self.expression()?;
                }
            }
            self.names.truncate(mark);
            if *is_dict.get_or_insert(is_pair) != is_pair {
                return Err(Refusal);
            }
            if self.begins_comprehension() {
                if count > 0 || !may_be_element {
                    return Err(Refusal);
                }
                self.comprehension(surprises, false)?;
                break;
            }
            count += 1;
            if !self.accept(COMMA)? {
                break;
            }
        }
        self.names.truncate(mark);
        self.expect(END)?;
        Ok(self.make(What::Other, start))
    }

    pub fn rest_of_list(&mut self, first: Expression, end: u32) -> Outcome<Parts> {
        let mut parts = self.begin_list(&first);
        while self.accept(COMMA)? {
            if self.is(end) {
                break;
            }
            let part = self.star_expression(true)?;
            self.add_part(&mut parts, &part)?;
        }
        self.expect(end)?;
        Ok(parts)
    }

    pub fn begin_list(&self, first: &Expression) -> Parts {
        Parts {
            are_targets: first.is_target,
            are_deletable: first.is_deletable,
            count: 1,
            starred: u32::from(first.what == What::Starred),
        }
    }

    pub fn add_part(&mut self, parts: &mut Parts, part: &Expression) -> Outcome<()> {
        parts.are_targets &= part.is_target;
        parts.are_deletable &= part.is_deletable;
        parts.count += 1;
        if part.what == What::Starred {
            parts.starred += 1;
            if parts.count > 200 {
                self.lexer.doubt();
            }
        }
        Ok(())
    }

    pub fn end_list(&self, parts: Parts, what: What, start: usize) -> Expression {
        let mut list = self.make(what, start);
        list.is_target = parts.are_targets && parts.starred < 2;
        list.is_deletable = parts.are_deletable;
        list
    }

    /// What `for` and `as` bind: `a`, `a.b`, `a[b]`, `(a, *b)`.
    pub fn target(&mut self) -> Outcome<Expression> {
        let found = self.primary()?;
        if found.is_target {
            Ok(found)
        } else {
            Err(Refusal)
        }
    }

    /// What `for` binds, up to `in`.
    pub fn targets(&mut self) -> Outcome<()> {
        let mut starred = 0;
        let mut count = 0;
        let mut has_comma = false;
        loop {
            if self.accept(STAR)? {
                starred += 1;
            }
            self.target()?;
            count += 1;
            if !self.accept(COMMA)? {
                break;
            }
            has_comma = true;
            if self.is_word(b"in") {
                break;
            }
        }
        if starred > 1 || (starred > 0 && !has_comma) {
            return Err(Refusal);
        }
        if starred > 0 && count > 200 {
            self.lexer.doubt();
        }
        Ok(())
    }

    pub fn begins_comprehension(&self) -> bool {
        self.is_word(b"for") || self.is_word(b"async")
    }

    /// From `for` on; `surprises` is how many there were before its element.
    pub fn comprehension(&mut self, surprises: Surprises, is_generator: bool) -> Outcome<()> {
        if self.surprises.yields != surprises.yields {
            self.lexer.doubt();
        }
        let mut bound = Vec::new();
        self.comprehensions += 1;
        while self.begins_comprehension() {
            if self.accept_word(b"async")? && (!self.is_async || self.lambdas > 0) && !is_generator
            {
                self.lexer.doubt();
            }
            self.expect_word(b"for")?;
            let mark = self.names.len();
            self.targets()?;
            bound.extend(self.names.drain(mark..));
            self.expect_word(b"in")?;
            self.iterables += 1;
            self.binary(1)?;
            self.iterables -= 1;
            while self.accept_word(b"if")? {
                self.binary(1)?;
            }
        }
        self.comprehensions -= 1;
        // A name that `:=` binds is one of the function around, and no variable of this.
        let is_bound =
            |name: &(usize, usize)| bound.iter().any(|one| self.slice(*one) == self.slice(*name));
        if self.named.len() > surprises.named
            && (self.is_class || self.named[surprises.named..].iter().any(is_bound))
        {
            self.lexer.doubt();
        }
        Ok(())
    }
}
