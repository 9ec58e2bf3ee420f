//! The table, its sources and its page.

use super::*;

fn read(given: &[(&str, &str)], file: &str) -> Result<Settings, SettingError> {
    let settings = Settings::read(&Sources::from_texts(given, file)?)?;
    settings.check()?;
    Ok(settings)
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let settings = read(&[("tasks", "3")], "tasks = 5\nmemory-limit = \"1GB\"").expect("settings");
    assert_eq!(settings.tasks, Tasks(3));
    assert_eq!(settings.memory_limit, Bytes(1 << 30));
    assert_eq!(settings.login_timeout, Millis(10_000));
    assert_eq!(settings.postgres.to_string(), "127.0.0.1:5440");
}

#[test]
fn mistakes_are_named() {
    let message = |given: &[(&str, &str)], file| read(given, file).expect_err("a mistake").to_string();
    assert_eq!(message(&[], "memry-limit = 1"), "file.toml: there is no setting \"memry-limit\"");
    assert_eq!(
        message(&[("memory-limit", "lots")], ""),
        "memory-limit = \"lots\": expected a number of bytes, such as 512MB or 4GB"
    );
    assert!(message(&[("postgres", "0.0.0.0:5440")], "").contains("allow-insecure-remote"));
    assert!(read(&[("postgres", "0.0.0.0:5440"), ("allow-insecure-remote", "true")], "").is_ok());
    assert!(message(&[("http", "[::]:8440")], "").starts_with("http = [::]:8440 can be reached"));
    assert_eq!(
        message(&[("http", "no")], ""),
        "http = \"no\": expected an IP address and a port, such as 127.0.0.1:5440, or off"
    );
    assert!(message(&[("max-connections", "0")], "").contains("at least 1"));
    assert!(message(&[], "data = [1]").contains("array"));
}

#[test]
fn http_can_be_off() {
    assert_eq!(read(&[("http", "off")], "").expect("settings").http, Door(None));
    assert!(read(&[], "").expect("defaults").http.0.is_some());
}

#[test]
fn every_default_reads_back_as_it_is_shown() {
    let settings = read(&[], "").expect("defaults");
    let list = settings.list();
    let shown: Vec<(&str, &str)> = list.iter().map(|(name, value, _)| (*name, value.as_str())).collect();
    assert_eq!(read(&shown, "").expect("shown values"), settings);
    assert!(list.iter().any(|(name, value, _)| *name == "max-message-bytes" && value == "16MB"));
}

#[test]
fn every_setting_has_a_flag_and_a_sentence() {
    let flags = flags();
    for setting in TABLE {
        assert!(flags.iter().any(|flag| flag.get_long() == Some(setting.name)), "{}", setting.name);
        assert!(setting.doc.trim().ends_with('.'), "{}", setting.name);
    }
    assert_eq!(TABLE[4].environment(), "MONSOON_MEMORY_LIMIT");
}

#[test]
fn the_settings_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, markdown()).expect("the docs directory");
    }
    let page = std::fs::read_to_string(path).expect("docs/settings.md");
    assert!(page == markdown(), "docs/settings.md is out of date: UPDATE_DOCS=1 cargo test -p monsoon settings");
}
