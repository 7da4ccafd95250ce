//! The fenced blocks and the links of a Markdown document.

/// A fenced block.
pub(crate) struct CodeBlock {
    /// What follows the opening fence: `sh`.
    pub(crate) language: String,
    /// The line of the opening fence, from 1.
    pub(super) line: usize,
    pub(crate) text: String,
}

/// All fenced blocks, those in lists included.
pub(crate) fn blocks(document: &str) -> Vec<CodeBlock> {
    let (mut blocks, mut open) = (Vec::new(), None::<CodeBlock>);
    for (line, text) in (1..).zip(document.lines()) {
        let fence = text.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                open = Some(CodeBlock {
                    language: language.trim().to_owned(),
                    line,
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(text);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without an end");
    blocks
}

/// The targets of `[text](target)` outside of blocks.
pub(super) fn links(document: &str) -> Vec<&str> {
    let mut inside = false;
    let mut links = Vec::new();
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            let targets = line.split("](").skip(1);
            links.extend(targets.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target));
        }
    }
    links
}

#[test]
fn blocks_and_links_are_found() {
    let document = "See [a](b.md#c).\n\n```sh\nrun [x](y)\n```\n   ```text\nout\n   ```\n";
    let found: Vec<_> =
        blocks(document).into_iter().map(|b| (b.language, b.line, b.text)).collect();
    assert_eq!(
        found,
        [
            ("sh".to_owned(), 3, "run [x](y)\n".to_owned()),
            ("text".to_owned(), 6, "out\n".to_owned())
        ]
    );
    assert_eq!(links(document), ["b.md#c"]);
}
