//! The man page notify_push(8).

use super::help::{argument_name, grouped, option_name, setting_name};
use crate::{
    cli::command_spec::{CommandSpec, ProgramSpec},
    config::{ServiceKind, Setting, SettingKind},
};
use std::fmt::Write as _;

const EXAMPLES: &[(&str, &str)] = &[
    ("Serve a Nextcloud", "notify_push /var/www/nextcloud/config/config.php"),
    ("Show all settings and where they come from", "notify_push --dump-config config.php"),
    ("Find out why clients receive nothing", "notify_push doctor --user alice config.php"),
    ("Serve several services", "notify_push --config /etc/notify_push/services.toml"),
    (
        "Log more for a while, then as configured",
        "notify_push log debug\nnotify_push log --restore",
    ),
    ("Close the connections of a user", "notify_push revoke alice"),
];

const FILES: &[(&str, &str)] = &[
    (
        "config.php",
        "The configuration of your Nextcloud: database, Redis, URL and proxies are taken from it.",
    ),
    (
        "/etc/default/notify_push",
        "Environment of the packaged systemd unit, one NAME=value for each line.",
    ),
    (
        ".env",
        "Environment file in the working directory. Faulty lines cause warnings only. The variable \
         ENV_FILE names another one, in which faulty lines prevent the start.",
    ),
    (
        "services.toml",
        "Services file for --config: settings of the daemon, [listen], and a [[service]] table for \
         each service. The keys are the variables in small letters.",
    ),
    ("/run/notify_push/", "Unix sockets, where the settings place them there."),
];

const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Success. For healthcheck: ready; for doctor: nothing is wrong."),
    (
        "1",
        "An error. For healthcheck: not ready; for doctor: something is wrong; for revoke: the user \
         has no connections.",
    ),
    ("2", "The command line is not understood."),
];

const SIGNALS: &[(&str, &str)] = &[
    (
        "SIGHUP",
        "Reads settings and certificates again. What can change takes effect at once; the log names \
         settings that need a restart. A faulty configuration changes nothing.",
    ),
    (
        "SIGTERM, SIGINT",
        "Closes the clients over DRAIN_TIME and exits. A second one exits at once.",
    ),
];

/// The page in groff_man(7).
pub fn man_page<S>(kinds: &[ServiceKind<'_, S>]) -> String {
    let program = ProgramSpec::new(kinds);
    let mut page = String::from(
        ".\\\" Made by notify_push::cli::reference::man_page; tests/it/manual.rs writes it anew.\n\
         .TH NOTIFY_PUSH 8 \"\" \"notify_push\" \"System Administration\"\n\
         .SH NAME\nnotify_push \\- notifies clients as soon as something changes on their server\n\
         .SH SYNOPSIS\n.B notify_push\n[\\fIoptions\\fR] \\fIconfig.php\\fR\n.br\n.B notify_push\n\
         \\fIcommand\\fR [\\fIoptions\\fR]\n.SH DESCRIPTION\n",
    );
    line(
        &mut page,
        "Without a command the program serves the Nextcloud whose config.php is given, or the services \
         of the file that --config names. A setting is taken from the command line, else from the \
         environment, else from the environment file, else from the services file or config.php, else \
         from its default.",
    );
    page.push_str(".SH OPTIONS\n");
    options(&mut page, &program.main);
    page.push_str(".SH COMMANDS\n");
    for command in &program.commands {
        self::command(&mut page, command);
    }
    page.push_str(".SH SETTINGS\n");
    settings(&mut page, &program.main.settings);
    page.push_str(".SH ENVIRONMENT\n");
    environment(&mut page, &program);
    for (title, entries) in [("FILES", FILES), ("EXIT STATUS", EXIT_STATUS), ("SIGNALS", SIGNALS)] {
        let _ = writeln!(page, ".SH \"{title}\"");
        entries.iter().for_each(|(name, text)| entry(&mut page, name, text));
    }
    page.push_str(".SH EXAMPLES\n");
    for (about, commands) in EXAMPLES {
        let _ = writeln!(page, ".PP\n{}:\n.PP\n.nf\n.RS", roff(about));
        commands.lines().for_each(|command| line(&mut page, command));
        page.push_str(".RE\n.fi\n");
    }
    page.push_str(".SH \"SEE ALSO\"\n");
    line(&mut page, "docs/settings.md and docs/troubleshooting.md of the project, systemctl(1)");
    page
}

fn command(page: &mut String, command: &CommandSpec) {
    let arguments: Vec<_> = command.arguments.iter().map(argument_name).collect();
    let title = format!("{} {}", command.name, arguments.join(" "));
    let _ = writeln!(page, ".SS \"{}\"", roff(title.trim()));
    line(page, &format!("{}.", command.about));
    if !command.details.is_empty() {
        page.push_str(".PP\n");
        line(page, command.details);
    }
    for argument in &command.arguments {
        entry(page, &argument_name(argument), argument.help);
    }
    options(page, command);
    if command.brief {
        page.push_str(".PP\nAll settings are accepted too.\n");
    } else {
        settings(page, &command.settings);
    }
}

fn options(page: &mut String, command: &CommandSpec) {
    for option in &command.options {
        entry(page, &option_name(option), option.help);
    }
}

fn settings(page: &mut String, settings: &[Setting]) {
    for (_, settings) in grouped(settings) {
        for setting in settings {
            entry(page, &setting_name(&setting), &setting.help_line());
        }
    }
}

fn environment(page: &mut String, program: &ProgramSpec) {
    line(
        page,
        "The variable of each setting stands in brackets above. An empty one counts as not set, except \
         where empty is a value.",
    );
    entry(page, "ENV_FILE", "The environment file; default .env in the working directory.");
    let secrets =
        program.main.settings.iter().filter(|setting| setting.kind == SettingKind::Secret);
    for setting in secrets {
        let text =
            format!("File that holds {}; a line break at its end is ignored.", setting.variable);
        entry(page, &setting.file_variable().unwrap_or_default(), &text);
    }
    entry(page, "NC_key", "Replaces that key of config.php, as in Nextcloud.");
    entry(page, "NO_COLOR", "No colours in the output of doctor and demo.");
}

fn entry(page: &mut String, name: &str, text: &str) {
    let _ = writeln!(page, ".TP\n.B {}\n{}", roff(name), roff(text));
}

fn line(page: &mut String, text: &str) {
    let _ = writeln!(page, "{}", roff(text));
}

/// Escapes text for groff_man(7): dashes that can be copied, no line that looks like a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
