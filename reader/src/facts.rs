//! What is known of a module, and its form as JSON.

use std::collections::HashMap;
use std::fmt::Write;

use crate::expressions::{may_import, Expression, ImportCall, What};
use crate::statements::{Around, Condition};
use crate::texts::{contains, text_of, Change, Strings};

pub struct Import<'a> {
    module: &'a [u8],
    level: u32,
    names: Vec<&'a [u8]>,
    line: u32,
    is_optional: bool,
    is_typing: bool,
    is_deferred: bool,
    /// Made by a call: of which function, and of what that is an attribute.
    call: Option<(&'a [u8], &'a [u8])>,
    is_sure: bool,
    /// What the statement calls `importlib`.
    pub importlib: Option<&'a [u8]>,
}

impl<'a> Import<'a> {
    pub fn new(module: &'a [u8], level: u32, names: Vec<&'a [u8]>, line: u32) -> Self {
        Import {
            module,
            level,
            names,
            line,
            is_optional: false,
            is_typing: false,
            is_deferred: false,
            call: None,
            is_sure: true,
            importlib: None,
        }
    }

    /// What a call may import; the place of one that is not sure only a tree shows.
    pub fn by_call(call: ImportCall<'a>, is_sure: bool) -> Self {
        let made = Import::new(call.module, 0, Vec::new(), call.line);
        Import { call: Some((call.function, call.owner)), is_sure, ..made }
    }
}

#[derive(Default)]
pub struct Exported<'a> {
    names: Vec<&'a [u8]>,
    is_complete: bool,
    line: u32,
}

#[derive(Default)]
pub struct Facts<'a> {
    /// Parts of the text, whole statements, that the compiler must judge.
    pub doubts: Vec<(usize, usize)>,
    /// The minor version of Python 3 that the syntax may need; 0 for an old one.
    pub needs: u8,
    imports: Vec<Import<'a>>,
    /// Imports inside of functions.
    inner_imports: Vec<Import<'a>>,
    bound: Vec<(&'a [u8], u32)>,
    places: HashMap<&'a [u8], usize>,
    /// Names that functions bind with `global`, or that are deleted somewhere.
    pub further: Vec<(&'a [u8], u32)>,
    pub elsewhere: Vec<(&'a [u8], &'a [u8])>,
    exported: Option<Exported<'a>>,
    version: Option<(&'a [u8], u32)>,
    /// Only a syntax tree shows the facts.
    pub is_unsure: bool,
    is_version_unsure: bool,
}

impl<'a> Facts<'a> {
    pub fn bind(&mut self, name: &'a [u8], line: u32) {
        let at = self.bound.len();
        if let std::collections::hash_map::Entry::Vacant(free) = self.places.entry(name) {
            free.insert(at);
            self.bound.push((name, line));
        }
    }

    pub fn unbind(&mut self, name: &[u8]) {
        if let Some(at) = self.places.remove(name) {
            self.bound[at].1 = 0;
        }
    }

    pub fn add_import(&mut self, around: Around, import: Import<'a>) {
        let found = Import {
            is_optional: around.is_optional || around.condition == Condition::If,
            is_typing: around.is_typing,
            is_deferred: around.is_deferred || around.condition == Condition::Main,
            ..import
        };
        if around.is_deferred { &mut self.inner_imports } else { &mut self.imports }.push(found);
    }

    /// How many imports there are, at the top level and in functions.
    pub fn count_imports(&self) -> (usize, usize) {
        (self.imports.len(), self.inner_imports.len())
    }

    /// What was imported between two counts may fail.
    pub fn make_optional(&mut self, first: (usize, usize), last: (usize, usize)) {
        let outer = self.imports[first.0..last.0].iter_mut();
        let inner = self.inner_imports[first.1..last.1].iter_mut();
        outer.chain(inner).for_each(|import| import.is_optional = true);
    }

    /// Apply a change of `__all__`; None for one that nobody can follow.
    pub fn change_exported(&mut self, change: Option<Change<'a>>, line: u32) {
        let Some((verb, strings)) = change else {
            return;
        };
        let exported =
            self.exported.get_or_insert(Exported { names: Vec::new(), is_complete: true, line });
        let words = match strings {
            Strings::Known(words) => words,
            Strings::Computed => {
                exported.is_complete = false;
                if verb == b'=' {
                    exported.names.clear();
                }
                return;
            }
            Strings::Unsure => {
                self.is_unsure = true;
                return;
            }
        };
        match verb {
            b'=' => {
                exported.names = words;
                exported.is_complete = true;
            }
            b'-' => exported.names.retain(|name| !words.contains(name)),
            _ => exported.names.extend(words),
        }
    }

    pub fn set_version(&mut self, value: &Expression, text: &'a [u8], line: u32) {
        match (value.what, text_of(text)) {
            (What::Text, Some(word)) => self.version = Some((word, line)),
            (What::Text | What::False, _) => self.is_version_unsure = true,
            _ => (),
        }
    }

    /// Leave out the imports by calls of functions that only look as if they imported.
    pub fn settle_calls(&mut self) {
        let all = || self.imports.iter().chain(&self.inner_imports);
        if all().all(|one| one.call.is_none()) {
            return;
        }
        let mut modules: Vec<&[u8]> = vec![b"builtins"];
        let mut names: Vec<&[u8]> = vec![b"__import__"];
        for one in all().filter(|one| one.call.is_none()) {
            if one.module == b"importlib" {
                names.extend(one.names.iter().filter(|name| may_import(name)));
            }
            modules.extend(&one.importlib);
        }
        let is_real = |one: &Import| match one.call {
            None => true,
            Some((function, b"")) => names.contains(&function),
            Some((_, owner)) => modules.contains(&owner),
        };
        let is_unsure = all().any(|one| !one.is_sure && is_real(one));
        let kept = |list: &[Import]| list.iter().map(is_real).collect::<Vec<bool>>();
        let (outer, inner) = (kept(&self.imports), kept(&self.inner_imports));
        self.is_unsure |= is_unsure;
        keep(&mut self.imports, outer);
        keep(&mut self.inner_imports, inner);
    }

    /// With more than one mention the version may be bound elsewhere.
    pub fn settle_version(&mut self, mentions: u32) {
        self.is_version_unsure |= self.version.is_some() && mentions > 1;
    }

    /// As JSON: `[doubts]`, and after it what is known of names where that is sure.
    pub fn write(&self, source: &[u8], holds: bool, out: &mut String) {
        out.push_str("[[");
        for (start, end) in &self.doubts {
            let _ = write!(out, "[{start},{end}],");
        }
        close(out, ']');
        let _ = write!(out, ",{}", u8::from(holds));
        if self.is_unsure {
            out.push(']');
            return;
        }
        let _ = write!(out, ",{},[", self.needs);
        self.imports.iter().for_each(|import| import.write(out));
        close(out, ']');
        out.push_str(",[");
        self.inner_imports.iter().for_each(|import| import.write(out));
        close(out, ']');
        out.push_str(",{");
        write_lines(&self.bound, out);
        close(out, '}');
        out.push_str(",[");
        // As where the tree is read: without these words nobody looks for them.
        if !self.further.is_empty() && (contains(source, b"global ") || contains(source, b"del ")) {
            for (name, line) in &self.further {
                out.push('[');
                write_text(name, out);
                let _ = write!(out, ",{line}],");
            }
        }
        close(out, ']');
        match &self.exported {
            None => out.push_str(",null"),
            Some(exported) => {
                out.push_str(",[[");
                exported.names.iter().for_each(|name| {
                    write_text(name, out);
                    out.push(',');
                });
                close(out, ']');
                let _ = write!(out, ",{},{}]", exported.is_complete, exported.line);
            }
        }
        match self.version {
            _ if self.is_version_unsure => out.push_str(",null"),
            None => out.push_str(",[\"\",0]"),
            Some((text, line)) => {
                out.push_str(",[");
                write_text(text, out);
                let _ = write!(out, ",{line}]");
            }
        }
        out.push_str(",[");
        for (owner, name) in &self.elsewhere {
            out.push('[');
            write_text(owner, out);
            out.push(',');
            write_text(name, out);
            out.push_str("],");
        }
        close(out, ']');
        out.push(']');
    }
}

fn keep(imports: &mut Vec<Import>, are_kept: Vec<bool>) {
    let mut are_kept = are_kept.into_iter();
    imports.retain(|_| are_kept.next().unwrap_or(true));
}

impl Import<'_> {
    fn write(&self, out: &mut String) {
        out.push('[');
        write_text(self.module, out);
        let _ = write!(out, ",{},[", self.level);
        for name in &self.names {
            write_text(name, out);
            out.push(',');
        }
        close(out, ']');
        let flags = (self.is_optional, self.is_typing, self.is_deferred);
        let _ = write!(out, ",{},{},{},{}],", self.line, flags.0, flags.1, flags.2);
    }
}

fn write_lines(names: &[(&[u8], u32)], out: &mut String) {
    for (name, line) in names.iter().filter(|(_, line)| *line > 0) {
        write_text(name, out);
        let _ = write!(out, ":{line},");
    }
}

/// Close a list: the comma behind its last part goes.
fn close(out: &mut String, bracket: char) {
    if out.ends_with(',') {
        out.pop();
    }
    out.push(bracket);
}

fn write_text(text: &[u8], out: &mut String) {
    out.push('"');
    for letter in String::from_utf8_lossy(text).chars() {
        match letter {
            '"' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            _ if letter < ' ' => {
                let _ = write!(out, "\\u{:04x}", letter as u32);
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}
