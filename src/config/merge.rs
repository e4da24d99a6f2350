//! Merging layers, done by the `config` crate: tables merge by key, everything else is replaced.

use config::{Config, ConfigError, Map, Source, Value as ConfigValue, ValueKind};
use toml::{Table, Value};

use crate::config::layer::Layer;
use crate::config::origin::{KeyPath, Origins};

/// The layers as one, later ones winning, with the origin of every key that is left.
pub(crate) fn merge(layers: &[Layer]) -> Result<(Table, Origins), ConfigError> {
    let mut builder = Config::builder();
    let mut origins = Origins::default();
    for layer in layers {
        builder = builder.add_source(LayerSource(layer.tree.iter().map(to_config).collect()));
        origins.absorb(&layer.origins, |path: &KeyPath| layer.table_at(path).is_some());
    }
    let Value::Table(tree) = to_toml(builder.build()?.cache) else {
        return Ok((Table::new(), origins));
    };
    Ok((tree, origins))
}

/// A layer as the `config` crate wants it.
#[derive(Clone)]
struct LayerSource(Map<String, ConfigValue>);

impl std::fmt::Debug for LayerSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the values, which may be secrets.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source for LayerSource {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, ConfigValue>, ConfigError> {
        Ok(self.0.clone())
    }
}

fn to_config((key, value): (&String, &Value)) -> (String, ConfigValue) {
    (key.clone(), ConfigValue::new(None, kind(value)))
}

fn kind(value: &Value) -> ValueKind {
    match value {
        Value::String(text) => ValueKind::String(text.clone()),
        Value::Integer(number) => ValueKind::I64(*number),
        Value::Float(number) => ValueKind::Float(*number),
        Value::Boolean(flag) => ValueKind::Boolean(*flag),
        // No key is a date: the check of the layer has refused it.
        Value::Datetime(time) => ValueKind::String(time.to_string()),
        Value::Array(list) => ValueKind::Array(list.iter().map(|value| ConfigValue::new(None, kind(value))).collect()),
        Value::Table(table) => ValueKind::Table(table.iter().map(to_config).collect()),
    }
}

fn to_toml(value: ConfigValue) -> Value {
    match value.kind {
        ValueKind::Boolean(flag) => Value::Boolean(flag),
        ValueKind::I64(number) => Value::Integer(number),
        ValueKind::Float(number) => Value::Float(number),
        ValueKind::String(text) => Value::String(text),
        ValueKind::Array(list) => Value::Array(list.into_iter().map(to_toml).collect()),
        ValueKind::Table(table) => Value::Table(table.into_iter().map(|(key, value)| (key, to_toml(value))).collect()),
        // `kind` makes none of these.
        ValueKind::Nil | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => Value::Table(Table::new()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Small trees over few keys, so that layers meet; keys with dots as the names of streams have.
    fn tree() -> impl Strategy<Value = Table> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::Integer),
            any::<bool>().prop_map(Value::Boolean),
            (-1e9..1e9).prop_map(Value::Float),
            "[a-z.${}]{0,5}".prop_map(Value::String),
            prop::collection::vec((0..9i64).prop_map(Value::Integer), 0..3).prop_map(Value::Array),
        ];
        let key = prop_oneof![Just("a"), Just("b.c"), Just("B"), Just("b-[0]"), Just("streams")];
        let value = leaf.prop_recursive(3, 12, 4, move |inner| {
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Table(map.into_iter().collect()))
        });
        // Keys of the top level are sections: plain words, as the check of layers leaves them.
        let section = prop_oneof![Just("server"), Just("streams"), Just("data_dir")].prop_map(str::to_owned);
        prop::collection::btree_map(section, value, 0..3).prop_map(|map| map.into_iter().collect())
    }

    fn naive(below: &mut Table, above: &Table) {
        for (key, value) in above {
            match (below.get_mut(key), value) {
                (Some(Value::Table(below)), Value::Table(above)) => naive(below, above),
                _ => {
                    below.insert(key.clone(), value.clone());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_layering_equals_naive_merging(trees in prop::collection::vec(tree(), 0..5)) {
            let mut expected = Table::new();
            for tree in &trees {
                naive(&mut expected, tree);
            }
            let layers: Vec<Layer> =
                trees.into_iter().map(|tree| Layer { tree, origins: Origins::default() }).collect();
            let (merged, _) = merge(&layers).expect("layers merge");
            prop_assert_eq!(merged, expected);
        }
    }
}
