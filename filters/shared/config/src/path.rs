//! Where in a configuration a value stands: `rules[0].arms[1].weight`.

use std::fmt;

/// A place in a configuration, as a chain on the stack: nothing is allocated until a mistake has to be told.
#[derive(Clone, Copy, Debug)]
pub enum Path<'a> {
    /// The whole document.
    Root,
    /// A field of an object.
    Field(&'a Path<'a>, &'a str),
    /// An element of a list, from 0.
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    /// The field `name` of what stands here.
    #[must_use]
    pub fn field(&'a self, name: &'a str) -> Path<'a> {
        Path::Field(self, name)
    }

    /// The element `index` of what stands here.
    #[must_use]
    pub fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Field(Path::Root, name) => f.write_str(name),
            Path::Field(parent, name) => write!(f, "{parent}.{name}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_a_user_would_write_it() {
        let rules = Path::Root.field("rules");
        let rule = rules.index(0);
        let arms = rule.field("arms");
        let arm = arms.index(1);
        assert_eq!(arm.field("weight").to_string(), "rules[0].arms[1].weight");
        assert_eq!(Path::Root.to_string(), "");
    }
}
