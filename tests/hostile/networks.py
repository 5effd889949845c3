"""Hostile and damaged networks in OpenVINO's format."""

import torch
from openvino_files import Network


def honest() -> Network:
    """Two products of a constant matrix, and their sum."""
    net = Network("Small")
    x = net.add("Parameter", [], [torch.ones(1, 3)], shape="1, 3")[0]
    first, second = (net.linear(x, torch.arange(6.0).reshape(2, 3) + k) for k in (0, 1))
    net.add("Result", [net.plus(first, second)], [])
    return net


ENTITIES = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10 if k else "ha"}">' for k in range(20))


def changed(old: str, new: str, count: int = 1) -> str:
    xml = honest().xml
    assert old in xml
    return xml.replace(old, new, count)


HOSTILE = {
    "doctype": lambda: '<!DOCTYPE net><net version="10"/>',
    "entity bomb": lambda: f"<!DOCTYPE net [{ENTITIES}]>" + changed('name="Small"', 'name="&e19;"'),
    "external entity": lambda: '<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net version="10">&x;</net>',
    "undefined entity": lambda: changed('name="Small"', 'name="&none;"'),
    "deep nesting": lambda: "<net>" * 1_000_000,
    "deep nesting in a layer": lambda: changed("<input>", "<input>" * 30),
    "too long": lambda: honest().xml + " " * (16 * 2**20),
    "too many layers": lambda: changed(
        "<layers>", "<layers>" + "".join(f'<layer id="{k}" type="A"/>' for k in range(100, 25_000))
    ),
    "too many edges": lambda: changed(
        "<edges>", "<edges>" + '<edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>' * 90_000
    ),
    "too many ports": lambda: changed("<input>", "<input>" + "".join(f'<port id="{k}"/>' for k in range(1000, 1100))),
    "empty": lambda: "",
    "text": lambda: "not a network",
    "unfinished": lambda: honest().xml[:-30],
    "binary": lambda: "\0\1\2",
    "another root": lambda: "<svg/>",
    "another version": lambda: changed('version="10"', 'version="7"'),
    "no layers": lambda: '<net version="10"><layers/></net>',
    "two layers of one id": lambda: changed('<layer id="1"', '<layer id="0"'),
    "an id that is no number": lambda: changed('<layer id="1"', '<layer id="one"'),
    "a huge id": lambda: changed('<layer id="1"', f'<layer id="{"9" * 5000}"'),
    "edge from nowhere": lambda: changed('from-layer="0"', 'from-layer="77"'),
    "edge to nowhere": lambda: changed('to-layer="2"', 'to-layer="77"'),
    "wrong port": lambda: changed('from-port="0"', 'from-port="5"'),
    "wrong input port": lambda: changed('to-port="1"', 'to-port="9"'),
    "edge without a port": lambda: changed(' to-port="1"', ""),
    "fed twice": lambda: changed('to-port="1"', 'to-port="0"'),
    "not fed": lambda: changed('<edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>', ""),
    "missing node": lambda: changed('<layer id="3"', '<layer id="99"'),
    "cycle": lambda: changed(
        'from-layer="0" from-port="0" to-layer="2"', 'from-layer="5" from-port="2" to-layer="2"'
    ),
    "feeds itself": lambda: changed(
        'from-layer="0" from-port="0" to-layer="2"', 'from-layer="2" from-port="2" to-layer="2"'
    ),
    "huge shape": lambda: changed('shape="2, 3"', 'shape="900000000, 900000000, 900000000"'),
    "huge shape and size": lambda: changed(
        'shape="2, 3" offset="0" size="24"', f'shape="{2**40}" offset="0" size="{2**42}"'
    ),
    "many dimensions": lambda: changed('shape="2, 3"', f'shape="2, 3{", 1" * 100_000}"'),
    "negative shape": lambda: changed('shape="2, 3"', 'shape="-2, -3"'),
    "zero shape": lambda: changed('shape="2, 3"', 'shape="0, 3"'),
    "no shape": lambda: changed('shape="2, 3"', ""),
    "negative offset": lambda: changed('offset="0"', 'offset="-8"'),
    "no offset": lambda: changed('offset="0"', ""),
    "outside of the file": lambda: changed('offset="24"', 'offset="32"'),
    "far outside": lambda: changed('offset="24"', f'offset="{10**14}"'),
    "overlap": lambda: changed('offset="24"', 'offset="8"'),
    "a size that is not the shape's": lambda: changed('size="24"', 'size="20"'),
    "negative size": lambda: changed('size="24"', 'size="-24"'),
    "unknown dtype": lambda: changed('element_type="f32"', 'element_type="string"'),
    "another dtype": lambda: changed('element_type="f32"', 'element_type="i64"'),
    "constant without data": lambda: changed('<data element_type="f32"', '<nothing element_type="f32"'),
    "a name with line breaks": lambda: changed('element_type="f32"', 'element_type="a&#10;b"'),
    "a long name": lambda: changed('element_type="f32"', f'element_type="{"x" * 100_000}"'),
}
