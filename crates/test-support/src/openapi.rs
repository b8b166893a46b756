//! What one description of an interface says that another does not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Everything that `golden` says and `served` does not, one line each: routes, their summaries, tags, keys, parameters,
/// bodies and answers, and of schemas the types, properties, required properties and listed values.
pub fn unsaid(golden: &Value, served: &Value) -> Vec<String> {
    let mut comparison = Comparison { golden, served, unsaid: Vec::new() };
    for (path, item) in fields(&golden["paths"]) {
        for method in METHODS.into_iter().filter(|method| item.get(method).is_some()) {
            comparison.operation(
                &format!("{method} {path}"),
                &item[method],
                &served["paths"][path.as_str()][method],
            );
        }
    }
    let schemes = "securitySchemes";
    for (name, scheme) in fields(&golden["components"][schemes]) {
        comparison.same(name, scheme, &served["components"][schemes][name.as_str()]);
    }
    comparison.same("tags", &golden["tags"], &served["tags"]);
    comparison.same("info", &golden["info"], &served["info"]);
    comparison.unsaid
}

struct Comparison<'a> {
    golden: &'a Value,
    served: &'a Value,
    unsaid: Vec<String>,
}

/// What a schema says, whichever way it is put together.
#[derive(Default)]
struct Shape<'a> {
    types: BTreeSet<&'a str>,
    values: BTreeSet<String>,
    properties: BTreeMap<&'a str, Vec<&'a Value>>,
    required: BTreeSet<&'a str>,
    items: Vec<&'a Value>,
    others: Vec<&'a Value>,
}

impl<'a> Comparison<'a> {
    fn operation(&mut self, at: &str, golden: &'a Value, served: &'a Value) {
        let summary = |operation: &Value| {
            operation["summary"].as_str().map(|text| text.trim_end_matches('.').to_owned())
        };
        if summary(golden) != summary(served) {
            self.unsaid.push(format!("{at}: summary {:?}", golden["summary"]));
        }
        let set = |value: &Value| list(value).map(Value::to_string).collect::<BTreeSet<_>>();
        for part in ["tags", "security"] {
            if set(&golden[part]) != set(&served[part]) {
                self.unsaid.push(format!("{at}: {part} {}, not {}", golden[part], served[part]));
            }
        }
        for parameter in list(&golden["parameters"]) {
            let at = format!("{at}: parameter {}", parameter["name"]);
            let is_it = |other: &&Value| ["name", "in"].iter().all(|part| other[part] == parameter[part]);
            let Some(found) = list(&served["parameters"]).find(is_it) else {
                self.unsaid.push(at);
                continue;
            };
            if parameter["required"].as_bool().unwrap_or(false)
                != found["required"].as_bool().unwrap_or(false)
            {
                self.unsaid.push(format!("{at}: required"));
            }
            self.schema(&at, &[&parameter["schema"]], &[&found["schema"]]);
        }
        let (asked, taken) = (&golden["requestBody"], &served["requestBody"]);
        self.same(&format!("{at}: body required"), &asked["required"], &taken["required"]);
        self.contents(&format!("{at}: body"), asked, taken);
        for (media, content) in fields(&asked["content"]) {
            // Asking for more would refuse what was fine.
            let required = |document, schema| shape(document, &[schema]).required;
            let more = required(self.served, &taken["content"][media.as_str()]["schema"]);
            if more != required(self.golden, &content["schema"]) {
                self.unsaid.push(format!("{at}: body: required {more:?}"));
            }
        }
        for (status, response) in fields(&golden["responses"]) {
            let at = format!("{at}: {status}");
            let response = resolved(self.golden, response);
            let found = resolved(self.served, &served["responses"][status.as_str()]);
            if found.is_null() {
                self.unsaid.push(at);
                continue;
            }
            for (name, _) in fields(&response["headers"]) {
                if found["headers"][name.as_str()].is_null() {
                    self.unsaid.push(format!("{at}: header {name}"));
                }
            }
            self.same(&format!("{at}: description"), &response["description"], &found["description"]);
            self.contents(&at, response, found);
        }
    }

    fn contents(&mut self, at: &str, golden: &'a Value, served: &'a Value) {
        for (media, content) in fields(&golden["content"]) {
            let at = format!("{at}: {media}");
            match served["content"].get(media) {
                Some(found) => self.schema(&at, &[&content["schema"]], &[&found["schema"]]),
                None => self.unsaid.push(at),
            }
        }
    }

    fn schema(&mut self, at: &str, golden: &[&'a Value], served: &[&'a Value]) {
        let (golden, served) = (shape(self.golden, golden), shape(self.served, served));
        let mut lack = |what: &str, lacking: Vec<String>| {
            if !lacking.is_empty() {
                self.unsaid.push(format!("{at}: {what} {}", lacking.join(", ")));
            }
        };
        let words = |words: &BTreeSet<&str>, known: &BTreeSet<&str>| {
            words.difference(known).map(|word| (*word).to_owned()).collect::<Vec<_>>()
        };
        lack("type", words(&golden.types, &served.types));
        lack("required", words(&golden.required, &served.required));
        lack("value", golden.values.difference(&served.values).cloned().collect());
        for (name, schemas) in &golden.properties {
            let at = format!("{at}.{name}");
            match served.properties.get(name) {
                Some(found) => self.schema(&at, schemas, found),
                None => self.unsaid.push(at),
            }
        }
        for (part, golden, served) in
            [("[]", &golden.items, &served.items), (".*", &golden.others, &served.others)]
        {
            if !golden.is_empty() {
                self.schema(&format!("{at}{part}"), golden, served);
            }
        }
    }

    fn same(&mut self, at: &str, golden: &Value, served: &Value) {
        if golden != served {
            self.unsaid.push(format!("{at}: {golden}, not {served}"));
        }
    }
}

/// All that schemas of a document say, as if they were one.
fn shape<'a>(document: &'a Value, schemas: &[&'a Value]) -> Shape<'a> {
    let mut shape = Shape::default();
    let mut waiting = schemas.to_vec();
    while let Some(schema) = waiting.pop() {
        let schema = resolved(document, schema);
        for way in ["allOf", "oneOf", "anyOf"] {
            waiting.extend(list(&schema[way]));
        }
        // A listed value says its type, too.
        let values = list(&schema["enum"]).chain(schema.get("const"));
        let values: Vec<_> = values.collect();
        shape.types.extend(values.iter().filter(|value| value.is_string()).map(|_| "string"));
        shape.values.extend(values.iter().map(ToString::to_string));
        shape.types.extend(schema["type"].as_str());
        shape.types.extend(list(&schema["type"]).filter_map(Value::as_str));
        shape.required.extend(list(&schema["required"]).filter_map(Value::as_str));
        shape.items.extend(schema.get("items"));
        shape.others.extend(schema.get("additionalProperties"));
        for (name, property) in fields(&schema["properties"]) {
            shape.properties.entry(name).or_default().push(property);
        }
    }
    shape
}

/// What a reference leads to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(value)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({
            "info": {"title": "Photos"},
            "paths": {"/photos/{id}": {"patch": {
                "summary": "Name a photo",
                "tags": ["photos"],
                "security": [{"bearer": []}],
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}],
                "requestBody": {"required": true, "content": {"application/json": {"schema": {
                    "type": "object", "required": ["name"], "properties": {"name": {"type": "string"}},
                }}}},
                "responses": {
                    "200": {"description": "Named", "content": {"application/json": {"schema": {
                        "$ref": "#/components/schemas/Photo",
                    }}}},
                    "503": {"description": "Busy", "headers": {"Retry-After": {"schema": {"type": "integer"}}}},
                },
            }}},
            "components": {
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
                "schemas": {"Photo": {"type": "object", "required": ["id"], "properties": {
                    "id": {"type": "integer"},
                    "kind": {"enum": ["jpeg", "png"]},
                    "lines": {"type": "array", "items": {"oneOf": [{"type": "string"}, {"type": "number"}]}},
                    "notes": {"type": "object", "additionalProperties": {"type": "string"}},
                }}},
            },
        })
    }

    #[test]
    fn whatever_is_left_out_is_noticed() {
        let operation = "/paths/~1photos~1{id}/patch";
        let places = [
            (String::new(), "info"),
            ("/paths".to_owned(), "/photos/{id}"),
            ("/components/securitySchemes".to_owned(), "bearer"),
            ("/components/schemas/Photo".to_owned(), "required"),
            ("/components/schemas/Photo".to_owned(), "type"),
            ("/components/schemas/Photo/properties".to_owned(), "notes"),
            ("/components/schemas/Photo/properties/kind".to_owned(), "enum"),
            ("/components/schemas/Photo/properties/lines".to_owned(), "items"),
            ("/components/schemas/Photo/properties/lines/items".to_owned(), "oneOf"),
            ("/components/schemas/Photo/properties/notes".to_owned(), "additionalProperties"),
            (operation.to_owned(), "summary"),
            (operation.to_owned(), "tags"),
            (operation.to_owned(), "security"),
            (operation.to_owned(), "parameters"),
            (operation.to_owned(), "requestBody"),
            (format!("{operation}/parameters/0"), "required"),
            (format!("{operation}/parameters/0/schema"), "type"),
            (format!("{operation}/requestBody"), "required"),
            (format!("{operation}/requestBody/content/application~1json/schema"), "required"),
            (format!("{operation}/responses"), "200"),
            (format!("{operation}/responses/200"), "description"),
            (format!("{operation}/responses/200/content"), "application/json"),
            (format!("{operation}/responses/503/headers"), "Retry-After"),
        ];
        for (place, part) in places {
            let mut served = document();
            assert!(served.pointer_mut(&place).unwrap().as_object_mut().unwrap().remove(part).is_some());
            assert!(!unsaid(&document(), &served).is_empty(), "{place} {part}");
        }
    }

    #[test]
    fn what_is_said_in_another_way_or_beside_it_is_fine() {
        let mut served = document();
        let photo = served["components"]["schemas"]["Photo"].take();
        served["components"]["schemas"] = json!({
            "Named": {"allOf": [{"$ref": "#/components/schemas/Known"}, {"type": "object", "required": ["by"]}]},
            "Known": photo,
        });
        let operation = &mut served["paths"]["/photos/{id}"]["patch"];
        operation["summary"] = json!("Name a photo.");
        operation["responses"]["404"] = json!({"description": "No such photo"});
        operation["responses"]["200"]["content"]["application/json"]["schema"] =
            json!({"$ref": "#/components/schemas/Named"});
        assert_eq!(unsaid(&document(), &served), Vec::<String>::new());
        // Whoever asks must not be asked for more.
        let body = "/paths/~1photos~1{id}/patch/requestBody/content/application~1json/schema/required";
        *served.pointer_mut(body).unwrap() = json!(["name", "by"]);
        assert_eq!(unsaid(&document(), &served).len(), 1);
    }
}
