package main

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

const envPrefix = "LATERAL_"

// key is one setting.
type key struct {
	name   string // "database.dsn"
	help   string
	secret string // "dsn": holds a password among other things, "value": is one
	value  reflect.Value
}

// keysOf lists the settings in the order of their declaration.
func keysOf(s *settings) []key {
	var keys []key
	var walk func(prefix string, value reflect.Value)
	walk = func(prefix string, value reflect.Value) {
		for i := range value.NumField() {
			field := value.Type().Field(i)
			name := prefix + field.Tag.Get("koanf")
			if field.Type.Kind() == reflect.Struct {
				walk(name+".", value.Field(i))
				continue
			}
			keys = append(keys, key{
				name: name, help: field.Tag.Get("help"), secret: field.Tag.Get("secret"), value: value.Field(i),
			})
		}
	}
	walk("", reflect.ValueOf(s).Elem())
	return keys
}

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func flagName(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }

// settingFlags adds a flag for the file and one for every setting.
func settingFlags(flags *pflag.FlagSet) {
	preset := defaults()
	flags.StringP("config", "c", "", "configuration file (YAML)")
	for _, k := range keysOf(&preset) {
		name := flagName(k.name)
		switch value := k.value.Interface().(type) {
		case string:
			flags.String(name, value, k.help)
		case bool:
			flags.Bool(name, value, k.help)
		case int:
			flags.Int(name, value, k.help)
		case int64:
			flags.Int64(name, value, k.help)
		case float64:
			flags.Float64(name, value, k.help)
		case time.Duration:
			flags.Duration(name, value, k.help)
		default:
			panic(fmt.Sprintf("setting %s: no flag for %T", k.name, value))
		}
	}
}

// loaded is a configuration and, by key, where each value came from.
type loaded struct {
	settings settings
	sources  map[string]string
}

// load merges defaults, file, environment and flags, the later over the earlier. Keys that do not
// exist are errors, since a misspelt limit is no limit.
func load(flags *pflag.FlagSet, environ func() []string) (*loaded, error) {
	preset := defaults()
	merged := koanf.New(".")
	if err := merged.Load(structs.Provider(preset, "koanf"), nil); err != nil {
		return nil, fmt.Errorf("defaults: %w", err)
	}
	byEnv, byFlag, known := make(map[string]string), make(map[string]string), make(map[string]bool)
	for _, k := range keysOf(&preset) {
		byEnv[envName(k.name)], byFlag[flagName(k.name)], known[k.name] = k.name, k.name, true
	}
	l := &loaded{sources: make(map[string]string)}
	add := func(layer *koanf.Koanf, source func(key string) string) error {
		for _, name := range layer.Keys() {
			if !known[name] {
				return fmt.Errorf("%s: there is no setting %q", source(name), name)
			}
			l.sources[name] = source(name)
		}
		return merged.Merge(layer)
	}

	path, err := flags.GetString("config")
	if err != nil {
		return nil, err
	}
	fromFile := "file " + path
	if path == "" {
		for _, entry := range environ() {
			if value, ok := strings.CutPrefix(entry, envPrefix+"CONFIG="); ok {
				path, fromFile = value, "file "+value
			}
		}
	}
	if path != "" {
		layer := koanf.New(".")
		if err := layer.Load(file.Provider(path), yaml.Parser()); err != nil {
			return nil, fmt.Errorf("%s: %w", fromFile, err)
		}
		if err := add(layer, func(string) string { return fromFile }); err != nil {
			return nil, err
		}
	}

	layer := koanf.New(".")
	provider := env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: environ,
		// Other variables may well begin with the same word: the integration stack's do.
		TransformFunc: func(name, value string) (string, any) { return byEnv[name], value },
	})
	if err := layer.Load(provider, nil); err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	if err := add(layer, func(key string) string { return "environment " + envName(key) }); err != nil {
		return nil, err
	}

	layer = koanf.New(".")
	err = layer.Load(posflag.ProviderWithFlag(flags, ".", layer, func(f *pflag.Flag) (string, any) {
		if !f.Changed {
			return "", nil
		}
		return byFlag[f.Name], posflag.FlagVal(flags, f)
	}), nil)
	if err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	if err := add(layer, func(key string) string { return "flag --" + flagName(key) }); err != nil {
		return nil, err
	}

	if err := merged.Unmarshal("", &l.settings); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return l, nil
}
