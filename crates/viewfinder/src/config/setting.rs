//! What a setting is, and how [`settings`](super::settings) declares them all.
use std::path::Path;

use super::settings::{Config, SETTINGS};

/// Where a flag for a setting is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// By every command.
    Everywhere,
    /// By `serve`, and by `config` and `doctor`, which look at what `serve` would do.
    Serve,
}

/// One setting: its names, its meaning, and how to read and show it.
pub(crate) struct Setting {
    /// Path in the TOML file, such as `log.level`.
    pub key: &'static str,
    /// Environment variable; empty for what only a file can hold.
    pub env: &'static str,
    /// Other programs' variables that are understood.
    pub aliases: &'static [Alias],
    /// Flag without its dashes, and where it is offered.
    pub flag: Option<(&'static str, Scope)>,
    /// Never shown, and may be kept in a file of its own.
    pub secret: bool,
    /// What names this file.
    pub in_file: InFile,
    /// What it is for, in lines.
    pub help: &'static [&'static str],
    /// Shown in the example file where the default is nothing.
    pub example: &'static str,
    pub(super) set_text: fn(&mut Config, &str) -> Result<(), String>,
    pub(super) set_toml: fn(&mut Config, &toml::Value, &Path) -> Result<(), String>,
    /// The current value; `None` when there is none.
    pub get: fn(&Config) -> Option<toml::Value>,
    /// Yes or no: its flag may stand alone.
    pub switch: bool,
    /// Several values: its flag may be repeated.
    pub list: bool,
}

/// What names the file that a secret is kept in, in place of the secret itself.
pub(crate) struct InFile {
    /// Path in the TOML file.
    pub key: &'static str,
    /// Environment variable.
    pub env: &'static str,
    /// Flag without its dashes, and where it is offered.
    pub flag: Option<(&'static str, Scope)>,
}

/// Another program's variable for a setting.
pub(crate) struct Alias {
    /// Its name; `__` separates nested names, and case does not matter.
    pub name: &'static str,
    /// Applies its value; what it answers is said to the user.
    pub(super) apply: fn(&mut Config, &str) -> Result<Option<String>, String>,
}

impl Setting {
    /// The setting with this key.
    pub(super) fn find(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The secret that is kept in the file of this key.
    pub(super) fn find_in_file(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.secret && setting.in_file.key == key)
    }
}

/// A setting's place in the configuration, such as `config.log.level`.
macro_rules! at {
    ($config:ident ($($path:ident).+)) => {
        $config.$($path).+
    };
}

/// The same in the file, such as `log.level`.
macro_rules! key {
    (($name:ident)) => {
        stringify!($name)
    };
    (($table:ident.$name:ident)) => {
        concat!(stringify!($table), ".", stringify!($name))
    };
}

macro_rules! apply {
    ($path:tt) => {
        |config, text| {
            at!(config $path) = Value::from_text(text)?;
            Ok(None)
        }
    };
    ($path:tt $function:path) => {
        $function
    };
}

macro_rules! flag {
    () => {
        None
    };
    ($name:literal $scope:ident $end:literal) => {
        Some((concat!($name, $end), Scope::$scope))
    };
    ($name:literal $scope:ident) => {
        Some(($name, Scope::$scope))
    };
}

macro_rules! example {
    () => {
        ""
    };
    ($text:literal) => {
        $text
    };
}

/// The [`Setting`] of one declaration.
macro_rules! setting {
    (
        $path:tt $type:ty [$($help:literal)+]
        (
            $env:literal
            $(, flag $flag:literal $scope:ident)?
            $(, aliases [$($alias:literal $(=> $function:path)?),+])?
            $(, example $example:literal)?
        )
    ) => {
        Setting {
            key: key!($path),
            env: $env,
            aliases: &[$($(Alias { name: $alias, apply: apply!($path $($function)?) },)+)?],
            flag: flag!($($flag $scope)?),
            secret: <$type as Value>::SECRET,
            in_file: InFile {
                key: concat!(key!($path), "_file"),
                env: concat!($env, "_FILE"),
                flag: flag!($($flag $scope "-file")?),
            },
            help: &[$($help),+],
            example: example!($($example)?),
            set_text: |config, text| {
                at!(config $path) = Value::from_text(text)?;
                Ok(())
            },
            set_toml: |config, value, base| {
                at!(config $path) = Value::from_toml(value, base)?;
                Ok(())
            },
            get: |config| at!(config $path).to_toml(),
            switch: <$type as Value>::SWITCH,
            list: <$type as Value>::LIST,
        }
    };
}

/// One table of the file as a struct.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        $struct:ident { $($(#[doc = $help:literal])+ $field:ident: $type:ty = $default:expr;)+ }
    ) => {
        $(#[doc = $about])+
        #[allow(clippy::doc_markdown, reason = "these lines are also help and comments in the example file")]
        #[allow(clippy::struct_field_names, reason = "they are named as in the file")]
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $struct { $($(#[doc = $help])+ pub $field: $type,)+ }

        impl Default for $struct {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }
    };
}

/// Declares all settings in the order of the example file: those of no table that come first, the tables, those that come last.
/// Each has its help, name, type and default, and in brackets its variable, flag, foreign variables and example.
macro_rules! settings {
    (
        Config {
            $($(#[doc = $first_help:literal])+ $first:ident: $first_type:ty = $first_default:expr, $first_names:tt;)+
        }
        $(
            $(#[doc = $about:literal])+
            [$table:ident] $struct:ident {
                $($(#[doc = $help:literal])+ $field:ident: $type:ty = $default:expr, $names:tt;)+
            }
        )+
        Config {
            $($(#[doc = $last_help:literal])+ $last:ident: $last_type:ty = $last_default:expr, $last_names:tt;)+
        }
    ) => {
        table! {
            /// Everything that can be configured, with a value.
            Config {
                $($(#[doc = $first_help])+ $first: $first_type = $first_default;)+
                $($(#[doc = $about])+ $table: $struct = $struct::default();)+
                $($(#[doc = $last_help])+ $last: $last_type = $last_default;)+
            }
        }

        $(table! {
            $(#[doc = $about])+
            $struct { $($(#[doc = $help])+ $field: $type = $default;)+ }
        })+

        /// All settings, in the order of the example file.
        pub(crate) const SETTINGS: &[Setting] = &[
            $(setting!(($first) $first_type [$($first_help)+] $first_names),)+
            $($(setting!(($table.$field) $type [$($help)+] $names),)+)+
            $(setting!(($last) $last_type [$($last_help)+] $last_names),)+
        ];
    };
}
