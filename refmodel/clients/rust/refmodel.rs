//! Tell refmodel what a monitor does, and have it judged: as a trace in a file, in lockstep, or driven.
//!
//! The standard library only: put this file beside yours and say `mod refmodel;`. The events are those of specs/traces.md:
//!
//!     let mut rm = Refmodel::spawn()?;
//!     tell!(rm, r#""e":"map","vm":{},"gfn":{},"mfn":{},"writable":true"#, vm, gfn, mfn)?;

#![allow(dead_code)]

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// What was answered to an event.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// It is lawful, or nobody answers.
    Lawful,
    /// No lawful run explains it: the answer, as JSON.
    Deviates(String),
    /// It was not understood.
    Misunderstood(String),
}

pub struct Refmodel {
    to: Box<dyn Write>,
    from: Option<Box<dyn BufRead>>,
    child: Option<Child>,
}

impl Refmodel {
    /// Events are written, to be judged later: `refmodel judge FILE`.
    pub fn to(to: impl Write + 'static) -> Self {
        Refmodel { to: Box::new(to), from: None, child: None }
    }

    /// Events are judged one by one by a `refmodel serve` of our own.
    pub fn spawn() -> io::Result<Self> {
        let mut child = Command::new("refmodel").arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let to = Box::new(child.stdin.take().unwrap());
        let from = Box::new(BufReader::new(child.stdout.take().unwrap()));
        Ok(Refmodel { to, from: Some(from), child: Some(child) })
    }

    /// Being driven: commands come from standard input, events go to standard output.
    pub fn driven(hello: &str) -> io::Result<Self> {
        let mut rm = Refmodel::to(io::stdout());
        writeln!(rm.to, "{{\"hello\":1,{hello}}}")?;
        rm.to.flush()?;
        Ok(rm)
    }

    /// Tell an event: its fields, without the braces, and where in the source.
    pub fn tell_at(&mut self, fields: &str, file: &str, line: u32) -> io::Result<Answer> {
        let file = file.replace('\\', "\\\\").replace('"', "\\\"");
        writeln!(self.to, "{{{fields},\"at\":\"{file}:{line}\"}}")?;
        let Some(from) = self.from.as_mut() else { return Ok(Answer::Lawful) };
        self.to.flush()?;
        let mut answer = String::new();
        from.read_line(&mut answer)?;
        Ok(match () {
            _ if answer.starts_with("{\"ok\":true") => Answer::Lawful,
            _ if answer.starts_with("{\"ok\":false") => Answer::Deviates(answer),
            _ => Answer::Misunderstood(answer),
        })
    }

    /// All events of a command have been told.
    pub fn done(&mut self) -> io::Result<()> {
        writeln!(self.to, "{{\"done\":1}}")?;
        self.to.flush()
    }
}

/// Tell an event, in the manner of `format!`.
#[macro_export]
macro_rules! tell {
    ($rm:expr, $($format:tt)*) => { $rm.tell_at(&format!($($format)*), file!(), line!()) };
}

/// The name of a command: `load` of `{"do":"load","vm":0,"gpa":4096}`.
pub fn name(command: &str) -> &str {
    command.split("\"do\":").nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap_or("")
}

/// A number that a command has under this name, 1 for true; 0 if it has none.
pub fn number(command: &str, key: &str) -> u64 {
    let digits = command.split(&format!("\"{key}\":")).nth(1).unwrap_or("").trim_start();
    if digits.starts_with("true") {
        return 1;
    }
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}
