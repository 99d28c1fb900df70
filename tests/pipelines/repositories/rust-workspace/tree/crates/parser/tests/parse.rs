#[test]
fn counts() {
    assert_eq!(parser::parse("ab"), 2);
}
