//! `monsoon topology`, the way a user of Storm would use `storm`: a file is submitted, and what it describes listed, changed and killed.

use std::process::{Command, Output};

use crate::client::Client;
use crate::server_process::{ServerProcess, binary, scratch};

const YAML: &str = r#"
name: word-count
spouts:
  - {id: lines, className: stream, constructorArgs: ["${relation}"]}
bolts:
  - {id: split, className: sql, constructorArgs: ["SELECT unnest(string_to_array(sentence, ' ')) AS word FROM input"]}
  - {id: counts, className: sql, parallelism: 2, constructorArgs: ["SELECT word, count(*) AS n FROM input GROUP BY word"]}
  - {id: store, className: insert, constructorArgs: [word_counts]}
streams:
  - {from: lines, to: split, grouping: {type: SHUFFLE}}
  - {from: split, to: counts, grouping: {type: FIELDS, args: [word]}}
  - {from: counts, to: store, grouping: {type: GLOBAL}}
config: {topology.state.checkpoint.interval.ms: 100}
"#;
const COUNTS: &str = "SELECT word, n FROM word_counts ORDER BY word";

fn monsoon(server: &ServerProcess, arguments: &[&str]) -> Output {
    let server = format!("127.0.0.1:{}", server.port());
    Command::new(binary()).args(["topology", "--server", &server]).args(arguments).output().expect("the binary runs")
}

fn done(server: &ServerProcess, arguments: &[&str]) -> String {
    let output = monsoon(server, arguments);
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {error}");
    text.into_owned()
}

fn refused(server: &ServerProcess, arguments: &[&str]) -> String {
    let output = monsoon(server, arguments);
    assert!(!output.status.success(), "{arguments:?} was done");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_submitted_and_operated_from_the_command_line() {
    let server = ServerProcess::start("topology-submit");
    let client = Client::connect(&server).await;
    client
        .run("CREATE STREAM sentences (sentence TEXT); CREATE TABLE word_counts (word TEXT PRIMARY KEY, n BIGINT)")
        .await;
    let directory = scratch().join(format!("submit-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a name of letters").to_owned()
    };
    let yaml = file("word_count.yaml", YAML);
    let (right, wrong) =
        (file("right.properties", "relation=sentences\n"), file("wrong.properties", "relation=nothing\n"));
    let java = file("java.yaml", &YAML.replace("className: stream", "className: org.example.Spout"));

    assert!(refused(&server, &["submit", &java]).contains("java.yaml:4:"), "a Java class is refused where it stands");
    assert!(refused(&server, &["submit", &yaml, "--filter", &wrong]).contains("\"nothing\" does not exist"));
    assert!(done(&server, &["submit", &yaml, "--filter", &right, "--dry-run"]).contains("counts"));
    assert!(!done(&server, &["list"]).contains("word-count"), "a dry run does nothing");

    done(&server, &["submit", &yaml, "--filter", &right]);
    client.run("INSERT INTO sentences VALUES ('the cow'), ('the moon')").await;
    client.wait_for(COUNTS, &["cow|1", "moon|1", "the|2"]).await;
    assert!(done(&server, &["list"]).contains("word-count"));
    assert!(refused(&server, &["submit", &yaml, "--filter", &right]).contains("already exists"));

    done(&server, &["rebalance", "word-count", "-e", "counts=1"]);
    done(&server, &["submit", &yaml, "--filter", &right, "--replace", "--inactive"]);
    client.run("INSERT INTO sentences VALUES ('the cow')").await;
    assert_eq!(client.rows("SELECT status FROM monsoon.topologies").await, ["inactive"]);
    done(&server, &["activate", "word-count"]);
    client.wait_for(COUNTS, &["cow|2", "moon|1", "the|3"]).await;
    assert!(done(&server, &["describe", "word-count"]).contains("split"));

    done(&server, &["kill", "word-count", "-w", "5"]);
    assert!(!done(&server, &["list"]).contains("word-count"));
    assert!(refused(&server, &["kill", "word-count"]).contains("does not exist"));
    drop(std::fs::remove_dir_all(&directory));
}
