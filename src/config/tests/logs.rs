//! What is refused of logs of other programs: rules that could never say anything.

use super::*;

fn errors(head: &str, rule: &str) -> Vec<String> {
    let rule = format!("[logs.rules.a]\n{rule}\n");
    Bench::of(&format!("[[logs]]\nname = \"edge\"\npath = \"/edge.log\"\n{head}\n{rule}")).errors()
}

#[test]
fn a_rule_of_an_access_log_that_asks_for_a_misspelt_field_is_refused_and_not_silent_for_ever() {
    let rule = concat!(
        "detector = \"log_http_errors\"\nof = [\"path ~ ts$\", \"extra1 > 4\"]\nwhen = [\"statsu >= 500\"]\n",
        "thresholds = { major = 0.1 }",
    );
    assert_eq!(
        errors("format = \"common\"\nstream_field = \"pth\"", rule),
        [
            "a.toml:5:1: 'logs.edge.stream_field': lines of this format have no field 'pth' (did you mean 'path'?)",
            "a.toml:9:9: 'logs.edge.rules.a.when[0]': lines of this format have no field 'statsu' (did you mean 'status'?)",
        ]
    );
    let pattern = "format = \"regex\"\npattern = \"^(?<code>[0-9]+)\"\nstream_field = \"code\"";
    let unsaid = "detector = \"log_http_errors\"\nthresholds = { major = 0.1 }";
    assert_eq!(
        errors(pattern, unsaid),
        ["a.toml:7:13: 'logs.edge.rules.a.when': lines of this format have no field 'status' (code)"]
    );
}

#[test]
fn a_threshold_in_percent_that_no_share_of_lines_reaches_is_refused() {
    let of = |more: &str| format!("detector = \"log_http_errors\"\nthresholds = {{ major = 20 }}\n{more}");
    let head = "format = \"json\"\nstream_field = \"channel\"";
    let why = "is a share of the lines, from 0 to 1: 5 % is 0.05";
    assert_eq!(errors(head, &of("")), [format!("a.toml:8:1: 'logs.edge.rules.a.thresholds': {why}")]);
    let bench = |more: &str| {
        Bench::of(&format!("[[logs]]\nname = \"edge\"\npath = \"/edge.log\"\n{head}\n[logs.rules.a]\n{}\n", of(more)))
    };
    assert!(bench("measure = \"rate\"").load().is_ok());
    assert!(bench("sum = \"bytes\"").load().is_ok());
}

#[test]
fn a_broken_expression_is_told_in_one_line() {
    let rule = "detector = \"log_http_errors\"\nof = [\"path ~ [\"]\nthresholds = { major = 0.1 }";
    assert_eq!(
        errors("format = \"json\"\nstream_field = \"channel\"", rule),
        ["a.toml:8:7: 'logs.edge.rules.a.of[0]': is no regular expression: unclosed character class"]
    );
}
