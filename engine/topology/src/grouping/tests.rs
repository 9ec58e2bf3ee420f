use super::*;

fn grouper(grouping: &Grouping, targets: i32, load_aware: bool) -> Grouper {
    let tasks: Vec<TaskId> = (1..=targets).map(TaskId).collect();
    let fields = Fields::new(["a", "b"]).unwrap();
    let place = GrouperPlace { source: TaskId(9), targets: &tasks, fields: &fields, load_aware, seed: 1 };
    Grouper::new(grouping, &place).unwrap()
}

fn chosen(grouper: &mut Grouper, values: &[Value]) -> Vec<u32> {
    let mut places = Vec::new();
    grouper.choose(values, &mut places);
    places
}

fn shares(grouper: &mut Grouper, targets: usize, tuples: usize) -> Vec<usize> {
    let mut shares = vec![0; targets];
    for _ in 0..tuples {
        chosen(grouper, &[Value::Null, Value::Null]).into_iter().for_each(|place| shares[place as usize] += 1);
    }
    shares
}

fn fields(names: &[&str]) -> Fields {
    Fields::new(names).unwrap()
}

#[test]
fn g04_plain_shuffle_is_exactly_even() {
    assert_eq!(shares(&mut grouper(&Grouping::Shuffle, 6, false), 6, 30_000), [5_000; 6]);
}

#[test]
fn g02_fields_go_by_content() {
    let mut fields = grouper(&Grouping::Fields(fields(&["a"])), 6, false);
    for key in 0..100_u8 {
        let place = chosen(&mut fields, &[Value::from(vec![key; 10]), Value::Int(1)]);
        assert_eq!(place, chosen(&mut fields, &[Value::from(vec![key; 10]), Value::Int(2)]));
    }
}

#[test]
fn g02_fields_spread_keys_over_all_tasks() {
    let mut fields = grouper(&Grouping::Fields(fields(&["b"])), 6, false);
    let mut shares = [0; 6];
    (0..6_000).for_each(|key| shares[chosen(&mut fields, &[Value::Null, Value::Int(key)])[0] as usize] += 1);
    assert!(shares.iter().all(|&share| (800..1_200).contains(&share)), "{shares:?}");
}

#[derive(Debug)]
struct FirstN(u32);

impl CustomGrouping for FirstN {
    fn prepare(&self, _: TaskId, _: &[TaskId]) -> Box<dyn Chooser> {
        Box::new(FirstN(self.0))
    }
}

impl Chooser for FirstN {
    fn choose(&mut self, _: &[Value], places: &mut Vec<u32>) {
        places.extend(0..self.0);
    }
}

#[test]
fn g03_a_custom_grouping_picks_any_number() {
    let mut custom = grouper(&Grouping::Custom(Arc::new(FirstN(2))), 6, false);
    assert_eq!(chosen(&mut custom, &[]), [0, 1]);
}

#[test]
fn g05_a_partial_key_alternates_between_exactly_two_tasks() {
    for key in 0..50 {
        let mut partial = grouper(&Grouping::PartialKey(fields(&["b"])), 6, false);
        let places: Vec<u32> = (0..100).flat_map(|_| chosen(&mut partial, &[Value::Null, Value::Int(key)])).collect();
        assert_ne!(places[0], places[1], "key {key}");
        assert!(places.iter().zip(&places[2..]).all(|(place, next_but_one)| place == next_but_one), "key {key}");
    }
}

#[test]
fn g06_a_frequent_key_does_not_overload_its_tasks() {
    let mut partial = grouper(&Grouping::PartialKey(fields(&["b"])), 4, false);
    let mut used = [0; 4];
    for tuple in 0..10_000 {
        let key = if tuple % 2 == 0 { 0 } else { tuple };
        used[chosen(&mut partial, &[Value::Null, Value::Int(key)])[0] as usize] += 1;
    }
    assert!(used.iter().all(|&tuples| (2_000..=3_000).contains(&tuples)), "{used:?}");
}

#[test]
fn g05_with_one_task_a_partial_key_has_no_choice() {
    let mut partial = grouper(&Grouping::PartialKey(fields(&["b"])), 1, false);
    assert_eq!(chosen(&mut partial, &[Value::Null, Value::Int(1)]), [0]);
}

#[test]
fn g07_equal_loads_get_equal_shares() {
    let mut shuffle = grouper(&Grouping::Shuffle, 5, true);
    (0..10).for_each(|_| shuffle.refresh_load(&[0.5; 5]));
    assert_eq!(shares(&mut shuffle, 5, 1_000), [200; 5]);
}

#[test]
fn g07_shares_move_away_from_a_loaded_task_step_by_step() {
    let mut shuffle = grouper(&Grouping::Shuffle, 2, true);
    let mut last = 500;
    for _ in 0..5 {
        (0..15).for_each(|_| shuffle.refresh_load(&[0.9, 0.1]));
        let share = shares(&mut shuffle, 2, 1_000)[0];
        assert!(share < last, "{share} after {last}");
        last = share;
    }
    (0..200).for_each(|_| shuffle.refresh_load(&[0.1, 0.1]));
    assert_eq!(shares(&mut shuffle, 2, 1_000), [500; 2]);
}

#[test]
fn all_global_and_none() {
    assert_eq!(chosen(&mut grouper(&Grouping::All, 3, false), &[]), [0, 1, 2]);
    assert_eq!(chosen(&mut grouper(&Grouping::Global, 3, false), &[]), [0]);
    let random = shares(&mut grouper(&Grouping::None, 3, false), 3, 3_000);
    assert!(random.iter().all(|&share| (800..1_200).contains(&share)), "{random:?}");
}

#[test]
fn an_unknown_field_is_refused() {
    let tasks = [TaskId(1), TaskId(2)];
    let declared = fields(&["a", "b"]);
    let place = GrouperPlace { source: TaskId(9), targets: &tasks, fields: &declared, load_aware: true, seed: 1 };
    assert!(Grouper::new(&Grouping::Fields(fields(&["c"])), &place).is_err());
}
