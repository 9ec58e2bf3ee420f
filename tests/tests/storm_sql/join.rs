//! Joins, which StormSQL dropped too.

use crate::{start, view};

const COMPANY: &str = "
CREATE STREAM emp (empid BIGINT, empname TEXT, deptid BIGINT);
CREATE STREAM dept (deptid BIGINT, deptname TEXT);
INSERT INTO emp VALUES (1, 'emp1', 1), (2, 'emp2', 1), (3, 'emp3', 2);
INSERT INTO dept VALUES (1, 'dept1'), (2, 'dept2'), (3, 'dept3')";

const PER_DEPT: &str = "SELECT d.deptid, count(empid) AS n FROM emp AS e JOIN dept AS d ON e.deptid = d.deptid
                        WHERE e.empid > 0 GROUP BY d.deptid";

#[tokio::test(flavor = "multi_thread")]
async fn q09_join() {
    let (_server, client) = start("storm-sql-q09-join", COMPANY).await;
    let join = "SELECT empid, empname, deptname FROM emp AS e JOIN dept AS d ON e.deptid = d.deptid WHERE e.empid > 0";
    assert_eq!(view(&client, join, "empid").await, ["1|emp1|dept1", "2|emp2|dept1", "3|emp3|dept2"]);
    assert_eq!(view(&client, PER_DEPT, "deptid").await, ["1|2", "2|1"]);
}

/// Employees 0 to 4 are in departments 0 and 1 in turn, 10 to 14 in ones that don't exist.
const TRIDENT_COMPANY: &str = "
CREATE STREAM emp (empid BIGINT, empname TEXT, deptid BIGINT);
CREATE STREAM dept (deptid BIGINT, deptname TEXT);
INSERT INTO emp VALUES
  (0, 'emp-0', 0), (1, 'emp-1', 1), (2, 'emp-2', 0), (3, 'emp-3', 1), (4, 'emp-4', 0),
  (10, 'emp-10', 10), (11, 'emp-11', 11), (12, 'emp-12', 12), (13, 'emp-13', 13), (14, 'emp-14', 14);
INSERT INTO dept VALUES (0, 'dept-0'), (1, 'dept-1'), (2, 'dept-2'), (3, 'dept-3'), (4, 'dept-4')";

#[tokio::test(flavor = "multi_thread")]
async fn q09_joins_of_trident() {
    let (_server, client) = start("storm-sql-q09-trident", TRIDENT_COMPANY).await;
    assert_eq!(view(&client, PER_DEPT, "deptid").await, ["0|2", "1|2"]);
    let without_employees = ["2|dept-2", "3|dept-3", "4|dept-4"];
    for tables in ["dept AS d LEFT JOIN emp AS e", "emp AS e RIGHT JOIN dept AS d"] {
        let query = format!("SELECT d.deptid, deptname FROM {tables} ON e.deptid = d.deptid WHERE e.empid IS NULL");
        assert_eq!(view(&client, &query, "deptid").await, without_employees, "{tables}");
    }
    let full = "SELECT e.deptid AS left_dept, d.deptid AS right_dept, deptname FROM emp AS e FULL JOIN dept AS d ON e.deptid = d.deptid
                WHERE d.deptid IS NULL OR e.empid IS NULL";
    let expected = [
        "null|2|dept-2",
        "null|3|dept-3",
        "null|4|dept-4",
        "10|null|null",
        "11|null|null",
        "12|null|null",
        "13|null|null",
        "14|null|null",
    ];
    assert_eq!(view(&client, full, "right_dept, left_dept").await, expected);
}
