"""The OpenAPI document: valid, complete, and kept by every answer (see `contract`)."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.api.pages import document
from service.api.search import JsonQuery, Parameters
from tests.service.contract import template_of, validator

# The pages and their files are no part of the interface for programs.
PAGE = {
    "static",
    "assets.asset",
    "assets.embed",
    "pages.page",
    "pages.rating_page",
    "pages.problems",
}


@pytest.fixture
def spec(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.json is not None
    document: dict[str, Any] = answer.json
    return document


def operations(spec: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (path, method): operation
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
    }


def test_the_document_is_valid_openapi_3_1(spec: dict[str, Any]) -> None:
    assert spec["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(spec).iter_errors()) == []


def test_every_route_is_described_and_nothing_else(
    client: FlaskClient, spec: dict[str, Any]
) -> None:
    routes = {
        (template_of(rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        if rule.endpoint not in PAGE
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(operations(spec)) == routes


def test_codes_that_no_operation_gives_are_in_the_description(spec: dict[str, Any]) -> None:
    for code in ("not_found", "method_not_allowed"):
        assert f"`{code}`" in spec["info"]["description"]


def test_an_explanation_lists_only_codes_that_it_gives(spec: dict[str, Any]) -> None:
    answers = spec["paths"]["/v1/explain"]["post"]["responses"].values()
    listed = " ".join(answer["description"] for answer in answers)
    for code in ("bad_filter", "fetch_failed", "image_url_disabled"):
        assert code not in listed
    for code in ("unknown_product", "unknown_image", "overloaded", "catalog_missing"):
        assert code in listed


def test_every_parameter_of_a_path_is_declared(spec: dict[str, Any]) -> None:
    for (path, _), operation in operations(spec).items():
        declared = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))


def test_every_operation_and_parameter_says_what_it_is_for(spec: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(spec).values()]
    assert len(set(names)) == len(names)
    for operation in operations(spec).values():
        assert operation["summary"].endswith(".")
        for parameter in operation.get("parameters", []):
            assert parameter["name"] == "image_id" or parameter["description"]


@pytest.mark.parametrize("model", [Parameters, JsonQuery])
def test_every_field_of_a_query_has_a_description(model: type[Parameters]) -> None:
    assert all(field.description for field in model.model_fields.values())


def test_a_form_takes_the_parameters_of_every_search() -> None:
    content = document()["paths"]["/v1/search"]["post"]["requestBody"]["content"]
    form = content["multipart/form-data"]["schema"]["properties"]
    assert set(form) == {"image", *Parameters.model_fields}


def test_parameters_in_the_url_of_a_post_are_described_too() -> None:
    described = document()["paths"]["/v1/search"]["post"].get("parameters", [])
    assert {parameter["name"] for parameter in described} == set(Parameters.model_fields)


def test_every_refusal_is_described_as_a_problem(spec: dict[str, Any]) -> None:
    for (path, _), operation in operations(spec).items():
        for status, response in operation["responses"].items():
            # Those two are of the server, before the application.
            if int(status) >= 400 and path != "/readyz" and status not in ("414", "431"):
                assert list(response["content"]) == ["application/problem+json"]
                assert "`code` is one of" in response["description"]


def test_every_problem_lists_its_codes_and_may_have_no_other(spec: dict[str, Any]) -> None:
    for operation in operations(spec).values():
        for status, response in operation["responses"].items():
            for part in response.get("content", {}).values():
                if "allOf" in part.get("schema", {}):
                    its_own = part["schema"]["allOf"][1]["properties"]
                    assert its_own["status"] == {"const": int(status)}
                    assert sorted(its_own["code"]["enum"]) == its_own["code"]["enum"] != []


def test_every_operation_has_a_tag_that_is_described_and_may_fail(spec: dict[str, Any]) -> None:
    tags = {tag["name"]: tag["description"] for tag in spec["tags"]}
    for operation in operations(spec).values():
        assert all(tags[name].strip() for name in operation["tags"])
        assert {"400", "500"} <= set(operation["responses"])


def test_the_document_has_a_licence_and_a_version_of_its_own(spec: dict[str, Any]) -> None:
    assert spec["info"]["license"]["identifier"] == "Apache-2.0"
    assert re.fullmatch(r"1\.\d+\.\d+", spec["info"]["version"])


def test_every_example_is_valid(spec: dict[str, Any]) -> None:
    schemas = spec["components"]["schemas"]
    examples = {name: schema.get("examples", []) for name, schema in schemas.items()}
    assert sum(map(len, examples.values())) >= 5
    for name, given in examples.items():
        for each in given:
            validator({"$ref": f"#/components/schemas/{name}"}).validate(each)


def test_a_path_that_takes_a_number_may_not_be_found(client: FlaskClient) -> None:
    for path in ("/v1/images/-1", "/v1/images/x"):
        assert client.get(path).get_json()["code"] == "not_found"
    responses = document()["paths"]["/v1/images/{image_id}"]["get"]["responses"]
    schema = responses["404"]["content"]["application/problem+json"]["schema"]["allOf"][1]
    assert "not_found" in schema["properties"]["code"]["enum"]


def test_a_key_is_optional_because_a_service_may_have_none(spec: dict[str, Any]) -> None:
    assert {} in spec["paths"]["/v1/search"]["post"]["security"]
    assert "security" not in spec["paths"]["/v1/images/{image_id}"]["get"]
