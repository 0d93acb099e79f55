//! `smidgen check`.

use crate::support::{Folder, TINY};

#[test]
fn a_supported_network_passes() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    assert_eq!(folder.smidgen(&["check", "tiny.ir"]).expect(0).stdout, "supported  tiny.ir\n");
    assert_eq!(folder.smidgen(&["check", "tiny.ir", "--json"]).expect(0).json()["supported"], true);
}
