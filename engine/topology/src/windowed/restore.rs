//! `Head` and `Restored`: a task's windows out of a checkpoint.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use smol_str::SmolStr;

use super::content::Content;
use super::encoding::{Reader, corrupt, put_bytes, put_i64, put_len, put_optional, record};
use super::item::Item;
use super::journal::{DELIVERED, HEAD, ITEM, KEY, USER};
use super::window::Shape;
use crate::stream::StreamInfo;
use crate::window::{
    Length, SessionManager, SessionSnapshot, SessionSpec, SessionState, Slide, WindowManager, WindowQueue,
    WindowSnapshot, WindowTime,
};
use crate::{Error, Result, Value};

/// Keys and values.
pub(super) type State = Vec<(Vec<u8>, Vec<u8>)>;

/// What a task knows of all its windows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// What the windows are.
    pub form: Vec<u8>,
    pub number_next: u64,
    pub id_next: u64,
    pub watermark: Option<i64>,
    /// Component and stream of each input, and the greatest timestamp seen.
    pub inputs: Vec<(SmolStr, SmolStr, Option<i64>)>,
}

/// What windows are, as bytes: a checkpoint can be gone on from only with the same.
pub(super) fn form_of(shape: Shape, time: WindowTime) -> Vec<u8> {
    let mut form = vec![u8::from(matches!(time, WindowTime::Event(_)))];
    let mut put = |tag: u8, number: i64| {
        form.push(tag);
        put_i64(&mut form, number);
    };
    match shape {
        Shape::Sessions(spec) => put(0, spec.gap_ms()),
        Shape::Windows(spec) => {
            match spec.length() {
                Length::Count(count) => put(1, count as i64),
                Length::Duration(ms) => put(2, ms),
            }
            match spec.slide() {
                Slide::Count(count) => put(1, count as i64),
                Slide::Duration(ms) => put(2, ms),
            }
        }
    }
    form
}

impl Head {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = record();
        put_bytes(&mut out, &self.form);
        put_len(&mut out, self.number_next);
        put_len(&mut out, self.id_next);
        put_optional(&mut out, self.watermark);
        put_len(&mut out, self.inputs.len() as u64);
        for (component, stream, ts_max) in &self.inputs {
            put_bytes(&mut out, component.as_bytes());
            put_bytes(&mut out, stream.as_bytes());
            put_optional(&mut out, *ts_max);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<Head> {
        let mut reader = Reader::of(bytes)?;
        let form = reader.bytes()?.to_vec();
        let (number_next, id_next, watermark) = (reader.len()?, reader.len()?, reader.optional()?);
        let inputs = (0..reader.len()?).map(|_| Ok((reader.text()?, reader.text()?, reader.optional()?)));
        let inputs = inputs.collect::<Result<_>>()?;
        reader.finish()?;
        Ok(Head { form, number_next, id_next, watermark, inputs })
    }
}

/// The windows of one key, as they were kept.
#[derive(Default)]
pub(super) struct RestoredKey<'a> {
    record: Option<Reader<'a>>,
    items: Vec<(i64, Item)>,
    delivered: HashSet<u64>,
}

/// A task's state, taken apart.
#[derive(Default)]
pub(super) struct Restored<'a> {
    /// `None`: there is no checkpoint yet.
    pub head: Option<Head>,
    pub keys: BTreeMap<u64, RestoredKey<'a>>,
    /// The user's.
    pub user: State,
}

impl<'a> Restored<'a> {
    /// From what a checkpoint keeps. [`Error::Checkpoint`] when it is damaged.
    pub fn of(state: &'a State) -> Result<Restored<'a>> {
        let mut restored = Restored::default();
        for (key, value) in state {
            let (&tag, rest) = key.split_first().ok_or_else(|| corrupt("an empty key"))?;
            match tag {
                HEAD => restored.head = Some(Head::decode(value)?),
                USER => restored.user.push((rest.to_vec(), value.clone())),
                KEY => restored.key(rest)?.record = Some(Reader::of(value)?),
                ITEM => {
                    let mut record = Reader::of(value)?;
                    let item = record.item()?;
                    record.finish()?;
                    restored.key(rest)?.items.push(item);
                }
                DELIVERED => {
                    Reader::of(value)?.finish()?;
                    let number = rest.get(8..).and_then(|bytes| bytes.try_into().ok());
                    let number = number.map(u64::from_be_bytes).ok_or_else(|| corrupt("a key without item"))?;
                    restored.key(rest)?.delivered.insert(number);
                }
                tag => return Err(corrupt(&format!("a key of kind {tag}"))),
            }
        }
        if restored.head.is_none() && !restored.keys.is_empty() {
            return Err(corrupt("windows without their head"));
        }
        Ok(restored)
    }

    /// Of the key whose number `bytes` begin with.
    fn key(&mut self, bytes: &[u8]) -> Result<&mut RestoredKey<'a>> {
        let id = bytes.first_chunk().ok_or_else(|| corrupt("a key without number"))?;
        Ok(self.keys.entry(u64::from_be_bytes(*id)).or_default())
    }
}

/// Where each input of the checkpoint is now. [`Error::InvalidTopology`] when one isn't read any more.
pub(super) fn input_places(head: &Head, inputs: &[Arc<StreamInfo>]) -> Result<Vec<u32>> {
    let place = |(component, stream, _): &(SmolStr, SmolStr, Option<i64>)| {
        let found = inputs.iter().position(|input| input.component == *component && input.stream == *stream);
        let missing =
            || format!("its checkpoint holds tuples of stream {stream:?} of {component:?}, not read any more");
        found.map(|place| place as u32).ok_or_else(|| Error::invalid(missing()))
    };
    head.inputs.iter().map(place).collect()
}

impl RestoredKey<'_> {
    /// The key's values, and its windows over an empty queue. `places`: where the checkpoint's inputs are now.
    pub fn content(
        self,
        shape: Shape,
        time: WindowTime,
        places: &[u32],
        queue: WindowQueue<Item>,
    ) -> Result<(Arc<[Value]>, Content)> {
        let mut record = self.record.ok_or_else(|| corrupt("items of a key that isn't there"))?;
        let key = record.values()?;
        let mut entries = self.items;
        // The order of the queue: by timestamp, and of equal ones by arrival.
        entries.sort_by_key(|(ts, item)| (*ts, item.number));
        entries.iter_mut().try_for_each(|(_, item)| move_input(item, places))?;
        let content = match shape {
            Shape::Windows(spec) => {
                let snapshot = outline(&mut record, entries, places)?;
                Content::Windows(Box::new(WindowManager::restore(spec, time, queue, snapshot)?))
            }
            Shape::Sessions(spec) => {
                let entries = entries.into_iter().map(|(ts, item)| {
                    let delivered = self.delivered.contains(&item.number);
                    (ts, item, delivered)
                });
                let watermark = record.i64()?;
                Content::Sessions(Box::new(sessions(spec, time, queue, watermark, entries.collect())?))
            }
        };
        record.finish()?;
        Ok((key, content))
    }
}

fn move_input(item: &mut Item, places: &[u32]) -> Result<()> {
    item.input = *places.get(item.input as usize).ok_or_else(|| corrupt("an item of no input"))?;
    Ok(())
}

fn outline(record: &mut Reader<'_>, entries: Vec<(i64, Item)>, places: &[u32]) -> Result<WindowSnapshot<Item>> {
    let (first, start, fresh, next_trigger) = (record.len()?, record.len()?, record.len()?, record.len()?);
    let (watermark, last_end, next_end) = (record.i64()?, record.i64()?, record.optional()?);
    let pending = (0..record.len()?).map(|_| {
        let (_, mut item) = record.item()?;
        move_input(&mut item, places)?;
        Ok(item)
    });
    let pending_expired = pending.collect::<Result<_>>()?;
    Ok(WindowSnapshot {
        entries,
        first,
        start,
        fresh,
        watermark,
        last_end,
        next_end,
        next_trigger,
        pending_expired,
        left: Vec::new(),
    })
}

/// Sessions are their items, split where two are more than the gap apart.
fn sessions(
    spec: SessionSpec,
    time: WindowTime,
    queue: WindowQueue<Item>,
    watermark: i64,
    entries: Vec<(i64, Item, bool)>,
) -> Result<SessionManager<Item>> {
    let together = |a: &(i64, Item, bool), b: &(i64, Item, bool)| b.0.saturating_sub(a.0) <= spec.gap_ms();
    let sessions = entries.chunk_by(together).map(|entries| SessionState { entries: entries.to_vec() }).collect();
    SessionManager::restore(spec, time, queue, SessionSnapshot { sessions, watermark, left: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::TaskId;
    use crate::window::WindowSpec;
    use crate::windowed::by_key::WindowsByKey;
    use crate::windowed::journal::Journal;

    fn shape() -> Shape {
        Shape::Windows(WindowSpec::tumbling(Length::Count(5)).unwrap())
    }

    /// The state of windows that hold two tuples.
    fn kept() -> State {
        let mut windows = WindowsByKey::new(shape(), WindowTime::Processing, true, None, Some(Journal::new(false)));
        for number in 0..2 {
            let item = Item::new(number, 0, TaskId(1), [Value::Int(7)].into()).unwrap();
            windows.add(&["key".into()], item, 0).unwrap();
        }
        let head = Head { inputs: vec![("spout".into(), "default".into(), None)], ..Head::default() };
        let mut journal = windows.outcomes.journal.take().unwrap();
        let changes = journal.checkpoint(head.encode(), windows.entries()).into_iter();
        changes.filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// How many items come back.
    fn restore(state: &State) -> Result<usize> {
        let keys = Restored::of(state)?.keys.into_values();
        let contents = keys.map(|kept| kept.content(shape(), WindowTime::Processing, &[0], WindowQueue::in_memory()));
        let items = |content| match content {
            Content::Windows(windows) => windows.len(),
            Content::Sessions(sessions) => sessions.len(),
        };
        contents.map(|content| content.map(|(_, content)| items(content))).sum()
    }

    #[test]
    fn a_record_that_is_damaged_or_of_another_version_is_told() {
        let kept = kept();
        assert_eq!((kept.len(), restore(&kept)), (4, Ok(2)));
        for place in 0..kept.len() {
            let value = &kept[place].1;
            let longer = [value, &[0][..]].concat();
            let other = [&[2], &value[1..]].concat();
            for damaged in [&[][..], &value[1..], &value[..value.len() - 1], &longer, &other] {
                let mut state = kept.clone();
                state[place].1 = damaged.to_vec();
                assert!(matches!(restore(&state), Err(Error::Checkpoint(_))), "{place}: {damaged:?}");
            }
        }
    }

    #[test]
    fn windows_without_their_head_are_told() {
        let mut state = kept();
        state.retain(|(key, _)| key[0] != HEAD);
        assert!(matches!(restore(&state), Err(Error::Checkpoint(_))));
    }
}
