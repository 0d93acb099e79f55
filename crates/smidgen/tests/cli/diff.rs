//! `smidgen diff`.

use crate::support::Folder;

const BEFORE: &str = r#"{ "model": "a.tflite", "board": "stm32f746", "instructions": 1000, "matches_host": true,
    "sram": { "stack": 100, "total": 5100 }, "flash": { "total": 9000 }, "steps": [{ "instructions": 600 }] }"#;

#[test]
fn limits_decide_the_exit_code() {
    let folder = Folder::new();
    folder
        .write("a.json", BEFORE)
        .write("b.json", BEFORE.replace("1000", "1009").replace("\"stack\": 100", "\"stack\": 90"));
    let diff = |limits: &str| folder.smidgen(&["diff", "a.json", "b.json", "--fail-on", limits]);
    assert!(diff("sram=+0,flash=+1%,instructions=+0").expect(1).stdout.contains("**FAIL**"));
    diff("instructions=+1%,sram.stack=+0,steps.0.instructions=+0").expect(0);
    diff("sram.stack=-5").expect(1);
    let plain = folder.smidgen(&["diff", "a.json", "b.json"]).expect(0).stdout;
    assert!(plain.contains("| a.tflite | instructions | 1,000 | 1,009 | +9 (+0.90 %) |  |  |"), "{plain}");
    let json = folder.smidgen(&["diff", "a.json", "b.json", "--fail-on", "instructions=+0", "--json"]).expect(1).json();
    assert_eq!((&json["passes"], &json["rows"][2]["limit"]), (&false.into(), &"+0".into()), "{json}");
}

#[test]
fn reports_of_several_networks_are_matched_by_name() {
    let folder = Folder::new();
    let entry = |name: &str| BEFORE.replace("a.tflite", name);
    folder.write("a.json", format!("{{ \"models\": [{}, {}] }}", entry("one"), entry("two")));
    folder.write("b.json", format!("{{ \"models\": [{}, {}] }}", entry("two"), entry("three")));
    let said = folder.smidgen(&["diff", "a.json", "b.json"]).expect(0).stdout;
    assert!(said.contains("`one` is missing") && said.contains("`three` is new"), "{said}");
    folder.smidgen(&["diff", "a.json", "b.json", "--fail-on", "instructions=+0"]).expect(1);
    folder.write("wrong.json", BEFORE.replace("true", "false")).write("right.json", BEFORE);
    let said = folder.smidgen(&["diff", "right.json", "wrong.json"]).expect(1).stdout;
    assert!(said.contains("wrong outputs"), "{said}");
}

#[test]
fn variants_of_other_names_are_compared() {
    let folder = Folder::new();
    let (int8, mixed) = (BEFORE.replace("a.tflite", "kws-int8.tflite"), BEFORE.replace("a.tflite", "kws-mixed.tflite"));
    folder.write("int8.json", &int8).write("mixed.json", mixed.replace("\"total\": 9000", "\"total\": 6000"));
    folder.write("many.json", format!("{{ \"models\": [{int8}, {mixed}] }}"));
    let told =
        folder.smidgen(&["diff", "int8.json", "mixed.json", "--fail-on", "flash=-4000,sram=+0"]).expect(0).stdout;
    assert!(told.contains("| kws-int8.tflite \u{2192} kws-mixed.tflite | flash | 9,000 | 6,000 |"), "{told}");
    let json = folder.smidgen(&["diff", "int8.json", "mixed.json", "--json"]).expect(0).json();
    assert_eq!(json["rows"][0]["before_model"], "kws-int8.tflite", "{json}");
    let pair = [
        "diff",
        "many.json",
        "many.json",
        "--pair",
        "kws-int8.tflite=kws-mixed.tflite",
        "--fail-on",
        "flash=+0",
        "--json",
    ];
    let json = folder.smidgen(&pair).expect(0).json();
    assert_eq!(json["rows"].as_array().unwrap().len(), 3, "{json}");
    let wrong = folder.smidgen(&["diff", "int8.json", "mixed.json", "--pair", "x=kws-mixed.tflite"]).expect(2).stderr;
    assert!(wrong.contains("it has no network `x`"), "{wrong}");
}

#[test]
fn what_cannot_be_compared_says_why() {
    let folder = Folder::new();
    folder.write("a.json", BEFORE).write("text.json", "hello").write("other.json", "{}");
    for (arguments, expected) in [
        (&["a.json", "none.json"][..], "none.json"),
        (&["text.json", "a.json"], "is not JSON"),
        (&["a.json", "other.json"], "other.json"),
        (&["a.json", "a.json", "--fail-on", "sram.heap=+0"], "stack, total"),
        (&["a.json", "a.json", "--fail-on", "sram=0"], "begins with +"),
        (&["a.json", "a.json", "--fail-on", "sram=+1q"], "no number"),
    ] {
        let stderr = folder.smidgen(&[&["diff"], arguments].concat()).expect(2).stderr;
        let flat = stderr.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ");
        assert!(flat.contains(expected), "{arguments:?}: {stderr}");
    }
}
