//! The words after `cargo xtask bench NAME`.

use std::path::PathBuf;

use super::form::Form;

/// What was asked for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Options {
    pub(super) rounds: Option<usize>,
    /// How long one load lasts.
    pub(super) seconds: Option<usize>,
    /// How many are to be there at once.
    pub(super) instances: Option<usize>,
    pub(super) only: Vec<String>,
    pub(super) json: Option<PathBuf>,
    pub(super) check: bool,
    /// Where guests have their files.
    pub(super) folder: Option<PathBuf>,
    /// Of the guest program, where there are both.
    pub(super) form: Form,
    /// A component of the program in `guests/python`.
    pub(super) python: Option<PathBuf>,
}

impl Options {
    /// Reads the words.
    ///
    /// # Errors
    /// The word that was not understood.
    pub(super) fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
            match word.as_str() {
                "--rounds" => options.rounds = Some(count(word, value()?)?),
                "--seconds" => options.seconds = Some(count(word, value()?)?),
                "--instances" => options.instances = Some(count(word, value()?)?),
                "--only" => options.only.extend(value()?.split(',').map(str::to_owned)),
                "--json" => options.json = Some(PathBuf::from(value()?)),
                "--folder" => options.folder = Some(PathBuf::from(value()?)),
                "--check" => options.check = true,
                "--component" => options.form = Form::Component,
                "--python" => options.python = Some(PathBuf::from(value()?)),
                _ => return Err(format!("unknown option `{word}`")),
            }
        }
        if options.python.is_some() && options.form != Form::Component {
            return Err("`--python` names a component: it goes with `--component`".to_owned());
        }
        Ok(options)
    }

    /// Is this operation to be measured?
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

fn count(word: &str, value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{word} {value}`: a number from 1 on is needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn all_of_them() {
        let options =
            parse("--rounds 3 --seconds 2 --instances 9 --only a,b --json x.json --folder y --check").unwrap();
        assert_eq!((options.rounds, options.seconds, options.instances), (Some(3), Some(2), Some(9)));
        assert_eq!(options.json, Some(PathBuf::from("x.json")));
        assert_eq!(options.folder, Some(PathBuf::from("y")));
        assert!(options.check);
        assert_eq!(options.form, Form::Module);
        assert!(options.wants("a") && options.wants("b") && !options.wants("c"));
    }

    #[test]
    fn python_is_a_component() {
        let options = parse("--component --python z.wasm").unwrap();
        assert_eq!((options.form, options.python), (Form::Component, Some(PathBuf::from("z.wasm"))));
        assert!(parse("--python z.wasm").is_err());
    }

    #[test]
    fn none_means_everything() {
        assert!(parse("").unwrap().wants("anything"));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(parse("--round 3"), Err("unknown option `--round`".to_owned()));
        assert_eq!(parse("--rounds"), Err("`--rounds` needs a value".to_owned()));
        assert!(parse("--rounds 0").is_err());
        assert!(parse("--seconds x").is_err());
    }
}
