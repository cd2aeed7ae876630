//! A very small monitor, to be judged: two VMs of four pages over machine frames that are given, taken and given again.
//!
//!     rustc -o tinyvmm tinyvmm.rs && refmodel drive ./tinyvmm
//!     rustc --cfg bug -o tinyvmm tinyvmm.rs && refmodel drive ./tinyvmm
//!
//! With `bug`, a frame is given to a guest as it is, unscrubbed.

mod refmodel;

use refmodel::{name, number, Refmodel};
use std::io::{self, BufRead};

const VMS: usize = 2;
const GFNS: usize = 4;
const FRAMES: usize = 6;
const WORDS: usize = 2;

#[derive(Default)]
struct Monitor {
    used: [bool; FRAMES],
    memory: [[u64; WORDS]; FRAMES],
    p2m: [[Option<usize>; GFNS]; VMS],
    ballooned: [[bool; GFNS]; VMS],
}

impl Monitor {
    fn populate(&mut self, rm: &mut Refmodel, vm: usize, gfn: usize) -> io::Result<()> {
        let free = self.used.iter().position(|used| !used);
        let (None, Some(mfn)) = (self.p2m[vm][gfn], free) else { return Ok(()) };
        if !cfg!(bug) {
            self.memory[mfn] = [0; WORDS];
        }
        self.used[mfn] = true;
        self.p2m[vm][gfn] = Some(mfn);
        let what = if self.ballooned[vm][gfn] { "deflate" } else { "populate" };
        self.ballooned[vm][gfn] = false;
        tell!(rm, r#""e":"{what}","vm":{vm},"gfn":{gfn},"mfn":{mfn}"#)?;
        tell!(rm, r#""e":"map","vm":{vm},"gfn":{gfn},"mfn":{mfn},"writable":true"#)?;
        Ok(())
    }

    fn inflate(&mut self, rm: &mut Refmodel, vm: usize, gfn: usize) -> io::Result<()> {
        let Some(mfn) = self.p2m[vm][gfn].take() else { return Ok(()) };
        self.ballooned[vm][gfn] = true;
        tell!(rm, r#""e":"unmap","vm":{vm},"gfn":{gfn}"#)?;
        tell!(rm, r#""e":"inflate","vm":{vm},"gfn":{gfn}"#)?;
        self.used[mfn] = false;
        tell!(rm, r#""e":"free","mfn":{mfn}"#)?;
        Ok(())
    }

    fn load(&self, rm: &mut Refmodel, vm: usize, gpa: usize) -> io::Result<()> {
        match self.p2m[vm][gpa >> 12] {
            Some(mfn) => tell!(rm, r#""e":"load","vm":{vm},"gpa":{gpa},"value":{}"#, self.memory[mfn][gpa >> 3 & 1])?,
            None => tell!(rm, r#""e":"hole","vm":{vm},"gpa":{gpa}"#)?,
        };
        Ok(())
    }

    fn store(&mut self, rm: &mut Refmodel, vm: usize, gpa: usize, value: u64) -> io::Result<()> {
        if let Some(mfn) = self.p2m[vm][gpa >> 12] {
            self.memory[mfn][gpa >> 3 & 1] = value;
            tell!(rm, r#""e":"store","vm":{vm},"gpa":{gpa},"value":{value}"#)?;
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let mut rm = Refmodel::driven(
        r#""name":"tinyvmm in Rust","vms":2,"gfns":4,"words":2,"commands":{"load":["vm","gpa"],
"store":["vm","gpa","value"],"populate":["vm","gfn"],"inflate":["vm","gfn"]}"#
            .replace('\n', "")
            .as_str(),
    )?;
    let mut monitor = Monitor::default();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (vm, gfn, gpa) = (number(&line, "vm") as usize, number(&line, "gfn") as usize, number(&line, "gpa") as usize);
        match name(&line) {
            "reset" => {
                monitor = Monitor::default();
                tell!(rm, r#""e":"trace","name":"tinyvmm in Rust","start":"power-on""#)?;
            }
            "load" => monitor.load(&mut rm, vm, gpa)?,
            "store" => monitor.store(&mut rm, vm, gpa, number(&line, "value"))?,
            "populate" => monitor.populate(&mut rm, vm, gfn)?,
            "inflate" => monitor.inflate(&mut rm, vm, gfn)?,
            _ => {}
        }
        rm.done()?;
    }
    Ok(())
}
