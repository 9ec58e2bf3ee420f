//! Calls of DataFusion's scalar functions, as templates.
//!
//! In a template the name of a kind's columns in braces stands for an expression of that kind: `{i}` for a BIGINT, `{s}` for a
//! text (see [`Kind::column_name`]); `{}` stands for one of the kind that is wanted, `{a}` for an array of BIGINT. Arguments are
//! kept where the function has an answer, so no call fails on a row. What is rounded, or of a type that no relation has, is
//! [`Kind::Opaque`].

use super::{Generator, Item, Kind, Named};

/// A call, and what it gives.
type Call = (&'static str, Kind);

/// Calls whose result is computed with further.
const CALLS: &[Call] = &[
    // Numbers.
    ("ceil({f})", Kind::Double),
    ("floor({f})", Kind::Double),
    ("round({f})", Kind::Double),
    ("trunc({f})", Kind::Double),
    ("signum({f})", Kind::Double),
    ("nanvl({f}, {f})", Kind::Double),
    ("CAST(abs({d}) AS NUMERIC(10, 2))", Kind::Numeric),
    ("CAST(round({d}, 1) AS NUMERIC(10, 2))", Kind::Numeric),
    ("CAST(trunc({d}, 1) AS NUMERIC(10, 2))", Kind::Numeric),
    ("CAST(ceil({d}) AS NUMERIC(10, 2))", Kind::Numeric),
    ("CAST(floor({d}) AS NUMERIC(10, 2))", Kind::Numeric),
    ("isnan({f})", Kind::Bool),
    ("iszero({f})", Kind::Bool),
    ("iszero({i})", Kind::Bool),
    ("factorial(abs({i}) % 8)", Kind::Big),
    ("gcd({i}, {i})", Kind::Big),
    ("lcm({i} % 10, {i} % 10)", Kind::Big),
    ("abs({n})", Kind::Int),
    // Texts.
    ("btrim({s})", Kind::Text),
    ("btrim({s}, 'a')", Kind::Text),
    ("ltrim({s}, 'a')", Kind::Text),
    ("rtrim({s}, 'b')", Kind::Text),
    ("chr(abs({i}) % 26 + 65)", Kind::Text),
    ("concat({s}, {s})", Kind::Text),
    ("concat_ws('-', {s}, {s})", Kind::Text),
    ("initcap({s})", Kind::Text),
    ("left({s}, 2)", Kind::Text),
    ("left({s}, -1)", Kind::Text),
    ("right({s}, 2)", Kind::Text),
    ("right({s}, -1)", Kind::Text),
    ("lpad({s}, 4, 'xy')", Kind::Text),
    ("rpad({s}, 4)", Kind::Text),
    ("md5({s})", Kind::Text),
    ("overlay({s} PLACING 'x' FROM 1 FOR 1)", Kind::Text),
    ("repeat({s}, abs({i}) % 3)", Kind::Text),
    ("replace({s}, 'b', '')", Kind::Text),
    ("reverse({s})", Kind::Text),
    ("split_part({s}, ' ', 1)", Kind::Text),
    ("substr({s}, 2)", Kind::Text),
    ("substr_index({s}, 'b', 1)", Kind::Text),
    ("to_hex({i})", Kind::Text),
    ("translate({s}, 'ab', 'xy')", Kind::Text),
    ("lower({s})", Kind::Text),
    ("upper({s})", Kind::Text),
    ("regexp_replace({s}, 'a+', 'x', 'g')", Kind::Text),
    ("encode({s}, 'hex')", Kind::Text),
    ("arrow_typeof({i})", Kind::Text),
    ("array_to_string({a}, ',')", Kind::Text),
    ("array_to_string({a}, '-', 'none')", Kind::Text),
    ("CAST(ascii({s}) AS INT)", Kind::Int),
    ("CAST(bit_length({s}) AS INT)", Kind::Int),
    ("CAST(character_length({s}) AS INT)", Kind::Int),
    ("CAST(octet_length({s}) AS INT)", Kind::Int),
    ("CAST(levenshtein({s}, {s}) AS INT)", Kind::Int),
    ("CAST(strpos({s}, 'b') AS INT)", Kind::Int),
    ("CAST(find_in_set({s}, 'a,b,ab') AS INT)", Kind::Int),
    ("CAST(regexp_count({s}, '[ab]') AS BIGINT)", Kind::Big),
    ("CAST(regexp_instr({s}, 'b') AS BIGINT)", Kind::Big),
    ("contains({s}, 'b')", Kind::Bool),
    ("starts_with({s}, 'a')", Kind::Bool),
    ("ends_with({s}, {s})", Kind::Bool),
    ("regexp_like({s}, '^a.*b$')", Kind::Bool),
    // Times.
    ("date_bin(INTERVAL '15 seconds', {ts})", Kind::Moment),
    ("date_bin(INTERVAL '1 minute', {ts}, TIMESTAMP '2024-01-01 00:00:07')", Kind::Moment),
    ("date_trunc('year', {ts})", Kind::Moment),
    ("date_trunc('quarter', {ts})", Kind::Moment),
    ("date_trunc('month', {ts})", Kind::Moment),
    ("date_trunc('week', {ts})", Kind::Moment),
    ("date_trunc('day', {ts})", Kind::Moment),
    ("date_trunc('hour', {ts})", Kind::Moment),
    ("date_trunc('second', {ts})", Kind::Moment),
    ("date_trunc('millisecond', {ts})", Kind::Moment),
    ("date_trunc('microsecond', {ts})", Kind::Moment),
    ("to_timestamp_micros({ts})", Kind::Moment),
    ("to_timestamp_micros({i})", Kind::Moment),
    ("to_local_time({ts})", Kind::Moment),
    ("CAST(date_part('year', {ts}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('quarter', {ts}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('month', {dt}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('week', {ts}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('day', {dt}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('dow', {dt}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('doy', {ts}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('hour', {ts}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('minute', {ts}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('millisecond', {ts}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('microsecond', {ts}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('epoch', {ts}) AS BIGINT)", Kind::Big),
    ("to_unixtime({ts})", Kind::Big),
    ("to_date(CAST({dt} AS VARCHAR))", Kind::Day),
    ("to_date({ts})", Kind::Day),
    ("make_date(2024, abs({n}) % 12 + 1, abs({n}) % 28 + 1)", Kind::Day),
    // Structures.
    ("get_field(named_struct('x', {i}, 'y', {s}), 'x')", Kind::Big),
    ("get_field(struct({i}, {s}), 'c1')", Kind::Text),
    ("arrow_cast({n}, 'Int64')", Kind::Big),
    ("arrow_try_cast({s}, 'Int64')", Kind::Big),
    ("cast_to_type({n}, {i})", Kind::Big),
    ("try_cast_to_type({s}, {i})", Kind::Big),
    // Rare types.
    ("CAST({h} AS INT)", Kind::Int),
    ("CAST({r} AS DOUBLE)", Kind::Double),
    ("encode({y}, 'hex')", Kind::Text),
    ("CAST(date_part('second', {tm}) AS BIGINT)", Kind::Big),
    ("CAST(date_part('hour', {tz}) AS BIGINT)", Kind::Big),
    ("({ts} + {iv})", Kind::Moment),
    ("isnan({x})", Kind::Bool),
    ("({x} < {f})", Kind::Bool),
    ("array_element({tags}, 1)", Kind::Text),
    ("array_has({tags}, {s})", Kind::Bool),
    ("CAST(cardinality({tags}) AS BIGINT)", Kind::Big),
    // Arrays and maps.
    ("array_element({a}, 1)", Kind::Big),
    ("array_any_value({a})", Kind::Big),
    ("array_max({a})", Kind::Big),
    ("array_min({a})", Kind::Big),
    ("CAST(array_length({a}) AS BIGINT)", Kind::Big),
    ("CAST(array_ndims({a}) AS BIGINT)", Kind::Big),
    ("CAST(array_position({a}, {i}) AS BIGINT)", Kind::Big),
    ("CAST(cardinality({a}) AS BIGINT)", Kind::Big),
    ("array_element(map_keys(map(make_array('x', 'y'), make_array({i}, {i}))), 2)", Kind::Text),
    ("array_element(map_extract(map(make_array('x', 'y'), make_array({i}, {i})), 'x'), 1)", Kind::Big),
    ("array_has({a}, {i})", Kind::Bool),
    ("array_has_all({a}, {a})", Kind::Bool),
    ("array_has_any({a}, {a})", Kind::Bool),
    ("empty({a})", Kind::Bool),
];

/// Calls of any kind that give the kind of their arguments.
const CALLS_OF_ANY_KIND: &[&str] =
    &["coalesce({}, {})", "nullif({}, {})", "nvl({}, {})", "nvl2({}, {}, {})", "greatest({}, {})", "least({}, {}, {})"];

/// Calls whose result is only shown.
const SHOWN: &[&str] = &[
    "acos(sin({f}))",
    "acosh(abs({f}) + 1.0)",
    "asin(sin({f}))",
    "asinh({f})",
    "atan({f})",
    "atan2({f}, {f})",
    "atanh(sin({f}) / 2.0)",
    "cbrt({f})",
    "cos({f})",
    "cosh({f})",
    "cot(abs({f}) + 0.5)",
    "degrees({f})",
    "exp({f})",
    "ln(abs({f}) + 1.0)",
    "log(2.0, abs({f}) + 1.0)",
    "log10(abs({i}) + 1)",
    "log2(abs({f}) + 1.0)",
    "pi() * {f}",
    "power({f}, 2.0)",
    "power(abs({i}) + 1, {f})",
    "radians({f})",
    "round({f}, 1)",
    "round({d})",
    "sin({f})",
    "sinh({f})",
    "sqrt(abs({f}))",
    "tan({f})",
    "tanh({f})",
    "trunc({f}, 1)",
    "abs({d})",
    "digest({s}, 'sha256')",
    "sha224({s})",
    "sha256({s})",
    "sha384({s})",
    "sha512({s})",
    "decode(encode({s}, 'base64'), 'base64')",
    "regexp_match({s}, '(a)(b)')",
    "string_to_array({s}, 'b')",
    "to_timestamp({ts})",
    "to_timestamp(CAST({ts} AS VARCHAR))",
    "to_timestamp_seconds({i})",
    "to_timestamp_millis({i})",
    "to_timestamp_nanos({ts})",
    "from_unixtime({i})",
    "make_time(abs({n}) % 24, abs({n}) % 60, abs({n}) % 60)",
    "to_time(concat('12:30:0', CAST(abs({i}) % 10 AS VARCHAR)))",
    "{ts} - {ts}",
    "named_struct('x', {i}, 'y', {s})",
    "struct({f}, {b})",
    "arrow_cast({i} % 100, 'Int16')",
    "arrow_field({i})",
    "arrow_metadata({i})",
    "with_metadata({i}, 'unit', 'metre')",
    "{a}",
    "array_add({a}, {a})",
    "array_append({a}, {i})",
    "array_avg({a})",
    "array_compact({a})",
    "array_concat({a}, {a})",
    "array_dims({a})",
    "array_distance(make_array({f}, {f}), make_array({f}, {f}))",
    "array_distinct({a})",
    "array_except({a}, {a})",
    "array_intersect({a}, {a})",
    "array_normalize(make_array({f}, {f}))",
    "array_pop_back({a})",
    "array_pop_front({a})",
    "array_positions({a}, {i})",
    "array_prepend({i}, {a})",
    "array_product({a})",
    "array_remove({a}, {i})",
    "array_remove_all({a}, {i})",
    "array_remove_n({a}, {i}, 2)",
    "array_repeat({s}, abs({i}) % 3)",
    "array_replace({a}, {i}, {i})",
    "array_replace_all({a}, {i}, {i})",
    "array_replace_n({a}, {i}, {i}, 2)",
    "array_resize({a}, 2, {i})",
    "array_resize({a}, 5)",
    "array_reverse({a})",
    "array_scale(make_array({f}, {f}), {f})",
    "array_slice({a}, 2, 3)",
    "array_sort({a})",
    "array_sort({a}, 'DESC', 'NULLS LAST')",
    "array_subtract({a}, {a})",
    "array_sum({a})",
    "array_union({a}, {a})",
    "arrays_zip({a}, {a})",
    "cosine_distance(make_array({f}, 1.0), make_array({f}, 2.0))",
    "flatten(make_array({a}, {a}))",
    "generate_series(1, abs({i}) % 4)",
    "inner_product(make_array({f}, {f}), make_array({f}, {f}))",
    "make_array({s}, {s})",
    "map(make_array('x', 'y'), make_array({i}, {i}))",
    "map_entries(map(make_array('x', 'y'), make_array({s}, {s})))",
    "map_values(map(make_array('x', 'y'), make_array({f}, {f})))",
    "range(abs({i}) % 4)",
];

impl Generator<'_> {
    /// A call that gives this kind, or `None` if no function does.
    pub(super) fn call(&mut self, scope: &[Named], kind: Kind, depth: usize) -> Option<String> {
        let fitting: Vec<&str> = CALLS.iter().filter(|(_, gives)| *gives == kind).map(|(text, _)| *text).collect();
        let of_any = fitting.is_empty() || self.random.one_in(6);
        let template = if of_any { *self.random.pick(CALLS_OF_ANY_KIND) } else { *self.random.pick(&fitting) };
        // Intervals and lists have no greatest, and DataFusion makes texts of a TIME in nvl.
        (!matches!(kind, Kind::Opaque | Kind::Clock) && !kind.only_equal())
            .then(|| self.filled(template, scope, kind, depth))
    }

    /// A call whose result is only shown.
    pub(super) fn shown_call(&mut self, scope: &[Named]) -> Item {
        let template = *self.random.pick(SHOWN);
        Item { text: self.filled(template, scope, Kind::Opaque, 1), kind: Kind::Opaque }
    }

    /// The template with expressions for what stands in braces.
    fn filled(&mut self, template: &str, scope: &[Named], wanted: Kind, depth: usize) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (argument, after) = after.split_once('}').expect("a template closes its braces");
            text.push_str(before);
            text.push_str(&self.argument(argument, scope, wanted, depth));
            rest = after;
        }
        text + rest
    }

    fn argument(&mut self, name: &str, scope: &[Named], wanted: Kind, depth: usize) -> String {
        match name {
            "" => self.expression(scope, wanted, depth),
            "a" => {
                let items: Vec<String> = (0..3).map(|_| self.expression(scope, Kind::Big, depth)).collect();
                format!("make_array({})", items.join(", "))
            }
            _ => {
                let kind = Kind::COMMON
                    .into_iter()
                    .chain(Kind::RARE)
                    .find(|kind| kind.column_name() == name)
                    .expect("a template names a kind");
                self.expression(scope, kind, depth)
            }
        }
    }
}
