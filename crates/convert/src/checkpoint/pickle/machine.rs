//! The instructions.
use super::{
    globals::{self, Call, StorageRecord, TensorRecord},
    input::Input,
};
use crate::checkpoint::CheckpointError;
use std::collections::HashMap;

/// Far more than any model's checkpoint has; a tensor takes about thirty.
const MAX_INSTRUCTIONS: usize = 1 << 20;
/// Values and marks that wait on the stack; writers empty it after every thousand entries of a dictionary.
const MAX_STACK: usize = 1 << 16;
/// The newest version of pickles that is known.
const MAX_PROTOCOL: u8 = 5;

/// The index of a value.
pub(in crate::checkpoint) type Handle = u32;

/// What an instruction made.
#[derive(Debug)]
pub(in crate::checkpoint) enum Value<'a> {
    /// Something that no tensor depends on.
    Opaque,
    Int(i64),
    Text(&'a str),
    Tuple(Vec<Handle>),
    List(Vec<Handle>),
    Dict(Vec<(Handle, Handle)>),
    /// A Python name, by module and name.
    Global(&'a str, &'a str),
    Storage(StorageRecord<'a>),
    Tensor(Box<TensorRecord<'a>>),
}

/// What a pickle holds.
#[derive(Debug)]
pub(in crate::checkpoint) struct Tree<'a> {
    values: Vec<Value<'a>>,
    /// The outermost value.
    pub(in crate::checkpoint) root: Handle,
}

impl<'a> Tree<'a> {
    pub(in crate::checkpoint) fn get(&self, handle: Handle) -> &Value<'a> {
        &self.values[handle as usize]
    }
}

/// Reads a pickle; `item` names it in errors.
pub(in crate::checkpoint) fn load<'a>(bytes: &'a [u8], item: &'a str) -> Result<Tree<'a>, CheckpointError> {
    let mut machine = Machine {
        input: Input::new(bytes, item),
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..MAX_INSTRUCTIONS {
        let instruction = machine.input.byte()?;
        if instruction == b'.' {
            let root = machine.pop()?;
            return Ok(Tree { values: machine.values, root });
        }
        machine.step(instruction)?;
        if machine.stack.len() + machine.marks.len() > MAX_STACK {
            return Err(machine.input.too_large(MAX_STACK, "values on its stack"));
        }
    }
    Err(machine.input.too_large(MAX_INSTRUCTIONS, "instructions"))
}

struct Machine<'a> {
    input: Input<'a>,
    values: Vec<Value<'a>>,
    stack: Vec<Handle>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Handle>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, instruction: u8) -> Result<(), CheckpointError> {
        match instruction {
            // The version, and frames, which only help readers of streams.
            0x80 => {
                if self.input.byte()? > MAX_PROTOCOL {
                    return Err(self.input.malformed("the pickle is of an unknown version"));
                }
            }
            0x95 => drop(self.input.array::<8>()?),

            // The stack.
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }

            // Plain values: None, True and False, numbers, bytes, and the lines of the oldest version.
            b'N' | 0x88 | 0x89 => self.push(Value::Opaque),
            b'J' => {
                let int = i32::from_le_bytes(self.input.array()?);
                self.push(Value::Int(int.into()));
            }
            b'K' => {
                let int = self.input.byte()?;
                self.push(Value::Int(int.into()));
            }
            b'M' => {
                let int = u16::from_le_bytes(self.input.array()?);
                self.push(Value::Int(int.into()));
            }
            0x8a => {
                let n = self.input.byte()?;
                let value = long(self.input.take(n.into())?).map_or(Value::Opaque, Value::Int);
                self.push(value);
            }
            b'G' => {
                self.input.array::<8>()?;
                self.push(Value::Opaque);
            }
            b'X' => {
                let n = u32::from_le_bytes(self.input.array()?);
                self.push_text(n.into())?;
            }
            0x8c => {
                let n = self.input.byte()?;
                self.push_text(n.into())?;
            }
            0x8d => {
                let n = u64::from_le_bytes(self.input.array()?);
                self.push_text(n)?;
            }
            b'B' => {
                let n = u32::from_le_bytes(self.input.array()?);
                self.input.take(n.into())?;
                self.push(Value::Opaque);
            }
            b'C' => {
                let n = self.input.byte()?;
                self.input.take(n.into())?;
                self.push(Value::Opaque);
            }
            b'I' | b'L' | b'F' | b'S' | b'V' => {
                self.input.line()?;
                self.push(Value::Opaque);
            }

            // Containers.
            b')' => self.push(Value::Tuple(Vec::new())),
            0x85..=0x87 => {
                let n = usize::from(instruction - 0x84);
                let from = self.stack.len().checked_sub(n).ok_or_else(|| self.empty())?;
                self.check_mark(from)?;
                let parts = self.stack.split_off(from);
                self.push(Value::Tuple(parts));
            }
            b't' => {
                let parts = self.pop_to_mark()?;
                self.push(Value::Tuple(parts));
            }
            b']' => self.push(Value::List(Vec::new())),
            b'l' => {
                let parts = self.pop_to_mark()?;
                self.push(Value::List(parts));
            }
            b'a' => {
                let part = self.pop()?;
                self.append(&[part])?;
            }
            b'e' => {
                let parts = self.pop_to_mark()?;
                self.append(&parts)?;
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b'd' => {
                let parts = self.pop_to_mark()?;
                self.push(Value::Dict(Vec::new()));
                self.set(&parts)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])?;
            }
            b'u' => {
                let parts = self.pop_to_mark()?;
                self.set(&parts)?;
            }

            // The memo.
            b'q' => {
                let slot = self.input.byte()?;
                self.remember(slot.into())?;
            }
            b'r' => {
                let slot = u32::from_le_bytes(self.input.array()?);
                self.remember(slot)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let slot = self.input.byte()?;
                self.recall(slot.into())?;
            }
            b'j' => {
                let slot = u32::from_le_bytes(self.input.array()?);
                self.recall(slot)?;
            }

            // Python's names and calls.
            b'c' => {
                let module = self.input.line()?;
                let name = self.input.line()?;
                self.push(Value::Global(module, name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.get(module), self.get(name)) {
                    (&Value::Text(module), &Value::Text(name)) => self.push(Value::Global(module, name)),
                    _ => return Err(self.input.malformed("a Python name is no text")),
                }
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = globals::storage(self.get(id), &self.values, &self.input)?;
                self.push(Value::Storage(storage));
            }
            b'R' => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                match globals::call(self.get(callable), self.get(arguments), &self.values, &self.input)? {
                    Call::New(value) => self.push(value),
                    Call::Known(handle) => self.stack.push(handle),
                }
            }
            // Objects by their class. None are built, so this only finds the name for the error.
            0x81 | 0x92 => {
                let arguments = if instruction == 0x81 { 1 } else { 2 };
                for _ in 0..arguments {
                    self.pop()?;
                }
                let class = self.pop()?;
                return Err(globals::forbidden(self.get(class), &self.input));
            }
            b'o' => {
                let class = *self.pop_to_mark()?.first().ok_or_else(|| self.empty())?;
                return Err(globals::forbidden(self.get(class), &self.input));
            }
            b'i' => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                return Err(globals::forbidden(&Value::Global(module, name), &self.input));
            }
            // Attributes, such as the versions of modules that a state dictionary carries: no tensor needs them.
            b'b' => {
                self.pop()?;
                self.top()?;
            }
            other => {
                return Err(self.input.malformed(&format!("instruction {other:#04x} is unknown")));
            }
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len() as Handle);
        self.values.push(value);
    }

    fn push_text(&mut self, n: u64) -> Result<(), CheckpointError> {
        let text = self.input.text(n)?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn get(&self, handle: Handle) -> &Value<'a> {
        &self.values[handle as usize]
    }

    fn pop(&mut self) -> Result<Handle, CheckpointError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Handle, CheckpointError> {
        let top = self.stack.last().copied().ok_or_else(|| self.empty())?;
        self.check_mark(self.stack.len() - 1)?;
        Ok(top)
    }

    /// Checks that no mark lies above a height of the stack.
    fn check_mark(&self, height: usize) -> Result<(), CheckpointError> {
        if self.marks.last().is_some_and(|&mark| mark > height) { Err(self.empty()) } else { Ok(()) }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Handle>, CheckpointError> {
        let mark = self.marks.pop().ok_or_else(|| self.empty())?;
        Ok(self.stack.split_off(mark))
    }

    fn append(&mut self, parts: &[Handle]) -> Result<(), CheckpointError> {
        let list = self.top()?;
        match &mut self.values[list as usize] {
            Value::List(list) => list.extend_from_slice(parts),
            Value::Opaque => {}
            _ => return Err(self.input.malformed("something is appended to what is no list")),
        }
        Ok(())
    }

    fn set(&mut self, parts: &[Handle]) -> Result<(), CheckpointError> {
        let dict = self.top()?;
        let (pairs, rest) = parts.as_chunks::<2>();
        match &mut self.values[dict as usize] {
            Value::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
            }
            Value::Opaque => {}
            _ => return Err(self.input.malformed("an entry is put into what is no dictionary")),
        }
        Ok(())
    }

    fn remember(&mut self, slot: u32) -> Result<(), CheckpointError> {
        let top = self.top()?;
        self.memo.insert(slot, top);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), CheckpointError> {
        let known = self.memo.get(&slot).copied();
        self.stack
            .push(known.ok_or_else(|| self.input.malformed("a value is recalled that was never kept"))?);
        Ok(())
    }

    fn empty(&self) -> CheckpointError {
        self.input.malformed("the stack is empty")
    }
}

/// A whole number of any length, lowest byte first, if it fits.
fn long(bytes: &[u8]) -> Option<i64> {
    let mut wide = [if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 }; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length() {
        assert_eq!(long(&[]), Some(0));
        assert_eq!(long(&[0xff]), Some(-1));
        assert_eq!(long(&[0x00, 0xff]), Some(-256));
        assert_eq!(long(&[0xff, 0x00]), Some(255));
        assert_eq!(long(&[0; 9]), None);
    }

    #[test]
    fn a_mark_hides_what_is_below() {
        for pickle in [b"N(0.".as_slice(), b"N(\x85.", b"N(.", b"](Na.", b"0.", b"t.", b"\x86."] {
            let error = load(pickle, "p").unwrap_err();
            assert!(error.to_string().contains("stack is empty"), "{pickle:?}: {error}");
        }
        assert!(load(b"N(1.", "p").is_ok());
    }
}
