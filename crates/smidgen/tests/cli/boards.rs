//! `smidgen boards`.

use crate::support::Folder;

#[test]
fn boards_are_listed_and_one_can_be_made_from_another() {
    let folder = Folder::new();
    let listed = folder.smidgen(&["boards"]).expect(0).stdout;
    for name in ["stm32f412", "stm32f746", "stm32f765", "stm32h743", "nrf52840", "nano33-ble-sense", "rp2040", "rp2350"]
    {
        assert!(listed.contains(name), "{listed}");
    }
    let json = folder.smidgen(&["boards", "stm32f746", "--json"]).expect(0).json();
    assert_eq!(json[0]["sram"]["bytes"], 320 * 1024);
    let toml = folder.smidgen(&["boards", "stm32f746", "--toml"]).expect(0).stdout;
    folder.write("mine.toml", toml.replace("327680", "12345").replace("stm32f746", "mine"));
    let mine = folder.smidgen(&["boards", "./mine.toml", "--json"]).expect(0).json();
    assert_eq!((&mine[0]["name"], &mine[0]["sram"]["bytes"]), (&"mine".into(), &12345.into()));
}

#[test]
fn wrong_boards_say_what_is_wrong() {
    let folder = Folder::new();
    let unknown = folder.smidgen(&["boards", "stm32f745"]).expect(2).stderr;
    assert!(unknown.contains("did you mean `stm32f746`") && unknown.contains("--toml"), "{unknown}");
    folder.write("broken.toml", "name = 3");
    assert!(folder.smidgen(&["boards", "broken.toml"]).expect(4).stderr.contains("broken.toml"));
    assert!(folder.smidgen(&["boards", "missing.toml"]).expect(2).stderr.contains("missing.toml"));
    assert!(folder.smidgen(&["boards", "--toml"]).expect(2).stderr.contains("--help"));
}
