"""The OpenAPI document: valid, complete, and kept by every answer (see `contract`)."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.api.pages import document
from service.api.search import JsonQuery, Parameters
from tests.service.contract import template_of

# The pages and their files are no part of the interface for programs.
PAGE = {"static", "pages.page", "pages.rating_page"}


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
            if int(status) >= 400 and path != "/readyz":
                assert list(response["content"]) == ["application/problem+json"]
                assert "`code` is one of" in response["description"]
