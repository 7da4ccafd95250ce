//! Completion scripts: for each command its own flags, for each flag its values.

use crate::{
    cli::command_spec::{CommandSpec, ProgramSpec},
    config::setting::ValueFormat,
};
use std::{collections::BTreeMap, fmt::Write as _};

/// A flag as a shell completes it.
struct CompletedFlag {
    name: &'static str,
    short: Option<&'static str>,
    format: ValueFormat,
    help: &'static str,
}

/// The script for a shell; empty for an unknown one.
pub(crate) fn script(shell: &str, program: &ProgramSpec) -> String {
    match shell {
        "bash" => bash(program),
        "fish" => fish(program),
        "zsh" => zsh(program),
        _ => String::new(),
    }
}

fn flags(command: &CommandSpec) -> Vec<CompletedFlag> {
    let options = command.options.iter().map(|option| CompletedFlag {
        name: option.name,
        short: option.short,
        format: option.format,
        help: option.help,
    });
    let settings = command.flags().map(|setting| CompletedFlag {
        name: setting.name,
        short: setting.short,
        format: setting.format,
        help: setting.help,
    });
    let help = CompletedFlag {
        name: "help",
        short: Some("h"),
        format: ValueFormat::Switch,
        help: "Print the help",
    };
    options.chain(settings).chain([help]).collect()
}

/// The words that the first argument of a command may be.
fn words(command: &CommandSpec, program: &ProgramSpec) -> Vec<&'static str> {
    if command.name == super::super::command_spec::HELP {
        return program.names().into_iter().chain(["settings"]).collect();
    }
    command.arguments.iter().flat_map(|argument| argument.words.iter().copied()).collect()
}

fn takes_file(command: &CommandSpec) -> bool {
    command.arguments.iter().any(|argument| argument.is_file)
}

fn bash(program: &ProgramSpec) -> String {
    let mut text = String::from(
        "_notify_push() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n    \
         local command= words= files= word\n    COMPREPLY=()\n    \
         if [[ $cur == = ]]; then cur=; fi\n    \
         if [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n    \
         for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        case $word in\n",
    );
    let _ = writeln!(text, "            {}) command=$word; break ;;", program.names().join("|"));
    text.push_str("        esac\n    done\n    case $prev in\n");
    for (values, names) in flags_by_values(program) {
        let _ = writeln!(text, "        {}) {values}; return ;;", names.join("|"));
    }
    text.push_str("    esac\n    case $command in\n");
    for command in program.commands.iter().chain([&program.main]) {
        let mut all = words(command, program);
        if command.name.is_empty() {
            all.extend(program.names());
        }
        let flags = flags(command);
        let flags: Vec<_> = flags.iter().map(|flag| format!("--{}", flag.name)).collect();
        let files = if takes_file(command) { " files=1" } else { "" };
        let name = if command.name.is_empty() { "*" } else { command.name };
        let _ = writeln!(
            text,
            "        {name}) words=\"{} {}\"{files} ;;",
            all.join(" "),
            flags.join(" ")
        );
    }
    text.push_str(
        "    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n    \
         if [[ $files && $cur != -* ]]; then COMPREPLY+=($(compgen -f -- \"$cur\")); fi\n}\n\
         complete -o filenames -F _notify_push notify_push\n",
    );
    text
}

/// What completes a flag's value, with the flags that take such values.
fn flags_by_values(program: &ProgramSpec) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for command in program.commands.iter().chain([&program.main]) {
        for flag in flags(command) {
            let reply = match flag.format {
                ValueFormat::Switch => continue,
                ValueFormat::File(_) => "COMPREPLY=($(compgen -f -- \"$cur\"))".to_owned(),
                ValueFormat::Choice(_, words) => {
                    format!("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))", words.join(" "))
                }
                _ => ":".to_owned(),
            };
            let names = found.entry(reply).or_default();
            let short = flag.short.map(|letter| format!("-{letter}"));
            for name in [format!("--{}", flag.name)].into_iter().chain(short) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
    }
    found
}

fn fish(program: &ProgramSpec) -> String {
    let names = program.names().join(" ");
    let mut text = format!(
        "function __notify_push_no_command\n    not __fish_seen_subcommand_from {names}\nend\n\
         complete -c notify_push -f\n"
    );
    let first = "complete -c notify_push -n __notify_push_no_command";
    for command in &program.commands {
        let _ = writeln!(text, "{first} -a {} -d {}", command.name, quoted(command.about));
    }
    for command in program.commands.iter().chain([&program.main]) {
        let condition = match command.name {
            "" => "__notify_push_no_command".to_owned(),
            name => format!("'__fish_seen_subcommand_from {name}'"),
        };
        let start = format!("complete -c notify_push -n {condition}");
        for word in words(command, program) {
            let _ = writeln!(text, "{start} -a {word}");
        }
        if takes_file(command) {
            let _ = writeln!(text, "{start} -F");
        }
        for flag in flags(command) {
            let short = flag.short.map(|letter| format!(" -s {letter}")).unwrap_or_default();
            let value = match flag.format {
                ValueFormat::Switch => String::new(),
                ValueFormat::File(_) => " -r -F".to_owned(),
                ValueFormat::Choice(_, words) => format!(" -x -a {}", quoted(&words.join(" "))),
                _ => " -x".to_owned(),
            };
            let _ =
                writeln!(text, "{start}{short} -l {}{value} -d {}", flag.name, quoted(flag.help));
        }
    }
    text
}

/// In single quotes, which bash, fish and zsh read alike as long as there are none inside.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "’"))
}

fn zsh(program: &ProgramSpec) -> String {
    let mut text = String::from(
        "#compdef notify_push\n_notify_push() {\n    local command= word\n    local -a specs\n    \
         for word in ${words[2,CURRENT-1]}; do\n        case $word in\n",
    );
    let _ = writeln!(text, "            ({}) command=$word; break ;;", program.names().join("|"));
    text.push_str("        esac\n    done\n    case $command in\n");
    for command in program.commands.iter().chain([&program.main]) {
        let name = if command.name.is_empty() { "*" } else { command.name };
        let _ = writeln!(text, "        ({name}) specs=(");
        for flag in flags(command) {
            zsh_flag(&mut text, &flag);
        }
        zsh_arguments(&mut text, command, program);
        text.push_str("        ) ;;\n");
    }
    text.push_str(
        "    esac\n    _arguments -S $specs\n}\n\
         if [ \"$funcstack[1]\" = _notify_push ]; then _notify_push \"$@\"; else compdef _notify_push \
         notify_push; fi\n",
    );
    text
}

fn zsh_flag(text: &mut String, flag: &CompletedFlag) {
    let escaped = |text: &str| text.replace('\'', "’").replace([':', '[', ']'], " ");
    let value = match (flag.format, flag.format.placeholder()) {
        (ValueFormat::Choice(name, words), _) => format!(":{name}:({})", words.join(" ")),
        (ValueFormat::File(name), _) => format!(":{name}:_files"),
        (_, Some(name)) => format!(":{name}: "),
        (_, None) => String::new(),
    };
    let help = escaped(flag.help);
    let equals = if value.is_empty() { "" } else { "=" };
    let _ = writeln!(text, "            '--{}{equals}[{help}]{value}'", flag.name);
    if let Some(letter) = flag.short {
        let _ = writeln!(text, "            '-{letter}[{help}]{value}'");
    }
}

fn zsh_arguments(text: &mut String, command: &CommandSpec, program: &ProgramSpec) {
    let escaped = |text: &str| text.replace('\'', "’").replace([':', '(', ')', '\\', '"'], " ");
    if command.name.is_empty() {
        let named = program
            .commands
            .iter()
            .map(|command| format!("{}\\:\"{}\"", command.name, escaped(command.about)));
        let named: Vec<_> = named.collect();
        let _ = writeln!(
            text,
            "            '1:command or config.php:{{_alternative \"commands:command:(({}))\" \
             \"files:config.php:_files\"}}'",
            named.join(" ").replace('"', "\\\"")
        );
        return;
    }
    // The first word is the command itself.
    let _ = writeln!(text, "            '1:command:({})'", command.name);
    let words = words(command, program);
    if !words.is_empty() {
        let _ = writeln!(text, "            '2:argument:({})'", words.join(" "));
    } else if takes_file(command) {
        text.push_str("            '*:file:_files'\n");
    } else if !command.arguments.is_empty() {
        text.push_str("            '2:argument: '\n");
    }
}
