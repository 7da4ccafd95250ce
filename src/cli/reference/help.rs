//! Help texts, at most 80 columns wide.

use crate::{
    cli::command_spec::{ArgumentSpec, CommandSpec, OptionSpec, ProgramSpec, SETTINGS_TOPIC},
    config::{
        Setting,
        setting::{CONFIG, METRICS_PORT, PORT, SettingGroup, ValueFormat},
    },
};
use std::fmt::Write as _;

/// The widest line.
const WIDTH: usize = 80;
/// Where the explanation of an entry begins.
const INDENT: usize = 31;
/// Settings that most installations need, explained in the main help.
const FREQUENT: &[&str] = &[CONFIG.name, PORT.name, METRICS_PORT.name];
/// The most settings that a command's help explains one by one.
const MAX_EXPLAINED: usize = 8;
/// Where the explanation of a command begins, that of an option, and the names of a group.
const COMMAND_INDENT: usize = 17;
const OPTION_INDENT: usize = 31;
const GROUP_INDENT: usize = 22;

/// The help of the program: commands first, then options, then the names of all settings.
pub(crate) fn main_help(program: &ProgramSpec) -> String {
    let mut text = format!("notify_push {}\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "{}\n\nUSAGE:", program.main.about);
    text.push_str("    notify_push [OPTIONS] <config.php>\n    notify_push <COMMAND> [OPTIONS]\n");
    text.push_str("\nCOMMANDS:\n");
    for command in &program.commands {
        entry(&mut text, command.name, command.about, COMMAND_INDENT);
    }
    text.push_str("\nOPTIONS:\n");
    for setting in frequent(&program.main.settings) {
        setting_entry(&mut text, &setting, OPTION_INDENT);
    }
    for option in &program.main.options {
        entry(&mut text, &option_name(option), option.help, OPTION_INDENT);
    }
    entry(&mut text, "-h, --help", "Print this help", OPTION_INDENT);
    names_of_settings(&mut text, &program.main.settings);
    text
}

fn frequent(settings: &[Setting]) -> impl Iterator<Item = Setting> {
    settings.iter().filter(|setting| FREQUENT.contains(&setting.name)).copied()
}

/// The names of the settings under their headings.
fn names_of_settings(text: &mut String, settings: &[Setting]) {
    let _ = writeln!(text, "\nSETTINGS (notify_push help {SETTINGS_TOPIC} explains each):");
    for (group, settings) in grouped(settings) {
        let names = settings.iter().filter(|setting| setting.flag);
        let names: Vec<_> = names.map(|setting| setting.name).collect();
        entry(text, group.title(), &names.join(", "), GROUP_INDENT);
    }
}

/// The help of one command.
pub(crate) fn command_help(command: &CommandSpec) -> String {
    let mut text = format!("notify_push {}\n", command.name);
    paragraph(&mut text, command.about, 0);
    if !command.details.is_empty() {
        text.push('\n');
        paragraph(&mut text, command.details, 0);
    }
    let _ = write!(text, "\nUSAGE:\n    notify_push {} [OPTIONS]", command.name);
    for argument in &command.arguments {
        let _ = write!(text, " {}", argument_name(argument));
    }
    text.push('\n');
    if !command.arguments.is_empty() {
        text.push_str("\nARGUMENTS:\n");
    }
    for argument in &command.arguments {
        entry(&mut text, &argument_name(argument), argument.help, INDENT);
    }
    text.push_str("\nOPTIONS:\n");
    for option in &command.options {
        entry(&mut text, &option_name(option), option.help, INDENT);
    }
    entry(&mut text, "-h, --help", "Print this help", INDENT);
    if command.brief {
        text.push_str("\nAll settings are accepted too: see notify_push help settings\n");
    } else if command.settings.len() <= MAX_EXPLAINED {
        settings_list(&mut text, &command.settings);
    } else {
        let shared = |setting: &Setting| setting.group != SettingGroup::Service;
        let (shared, own): (Vec<Setting>, Vec<Setting>) =
            command.settings.iter().copied().partition(shared);
        settings_list(&mut text, &own);
        text.push('\n');
        for setting in frequent(&shared) {
            setting_entry(&mut text, &setting, INDENT);
        }
        names_of_settings(&mut text, &shared);
    }
    text
}

/// The help of all settings of the program.
pub(crate) fn settings_help(program: &ProgramSpec) -> String {
    let mut text = String::new();
    paragraph(
        &mut text,
        "A setting is taken from the command line, else from the environment (the variable in \
         brackets), else from the environment file (.env in the working directory, or the one that \
         ENV_FILE names), else from the services file or config.php, else from its default. Put \
         secrets in files and name them with DATABASE_URL_FILE, REDIS_URL_FILE, \
         NEXTCLOUD_SECRET_FILE.",
        0,
    );
    settings_list(&mut text, &program.main.settings);
    text
}

fn settings_list(text: &mut String, settings: &[Setting]) {
    for (group, settings) in grouped(settings) {
        let _ = writeln!(text, "\n{}:", group.title().to_uppercase());
        for setting in settings {
            setting_entry(text, &setting, INDENT);
        }
    }
}

/// The settings under their headings.
pub(crate) fn grouped(settings: &[Setting]) -> Vec<(SettingGroup, Vec<Setting>)> {
    let mut groups: Vec<SettingGroup> = settings.iter().map(|setting| setting.group).collect();
    groups.sort_unstable();
    groups.dedup();
    let of = |group: SettingGroup| {
        settings.iter().filter(|setting| setting.group == group).copied().collect()
    };
    groups.into_iter().map(|group| (group, of(group))).collect()
}

/// `-p, --port <port>`, or the variable of a setting without a flag.
pub(crate) fn setting_name(setting: &Setting) -> String {
    if !setting.flag {
        return setting.variable.to_owned();
    }
    flag_name(setting.name, setting.short, setting.format)
}

/// An option with its short flag and placeholder: `-v, --version`.
pub(crate) fn option_name(option: &OptionSpec) -> String {
    flag_name(option.name, option.short, option.format)
}

fn flag_name(name: &str, short: Option<&str>, format: ValueFormat) -> String {
    let short = short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
    let value = format.placeholder().map(|value| format!(" <{value}>")).unwrap_or_default();
    format!("{short}--{name}{value}")
}

/// `<user>`, or `[level]` for one that may be left out.
pub(crate) fn argument_name(argument: &ArgumentSpec) -> String {
    match argument.required {
        true => format!("<{}>", argument.name),
        false => format!("[{}]", argument.name),
    }
}

fn setting_entry(text: &mut String, setting: &Setting, indent: usize) {
    let help = match setting.flag {
        true => setting.help_line(),
        false => setting.help.to_owned(),
    };
    entry(text, &setting_name(setting), &help, indent);
}

/// A name and its explanation from a column on; below the name if that is too long.
fn entry(text: &mut String, name: &str, help: &str, indent: usize) {
    let _ = write!(text, "    {name}");
    let used = 4 + name.chars().count();
    if used + 2 > indent {
        text.push('\n');
        text.push_str(&" ".repeat(indent));
    } else {
        text.push_str(&" ".repeat(indent - used));
    }
    let mut lines = wrapped(help, WIDTH - indent).into_iter();
    let _ = writeln!(text, "{}", lines.next().unwrap_or_default());
    for line in lines {
        let _ = writeln!(text, "{}{line}", " ".repeat(indent));
    }
}

fn paragraph(text: &mut String, words: &str, indent: usize) {
    for line in wrapped(words, WIDTH - indent) {
        let _ = writeln!(text, "{}{line}", " ".repeat(indent));
    }
}

/// Words in lines that are at most so wide.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let used = lines.last().map_or(0, |line| line.chars().count());
        if used > 0 && used + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_are_wrapped_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), [""]);
        assert_eq!(wrapped("glob-config", 3), ["glob-config"], "a long word stays whole");
    }
}
