"""The fields that are read of each message of an ONNX file.

They are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), without names that have no
effect and documentation.
"""

from vrnn_engine.runtime.voice.graph_file.protobuf import Kind, Layout

MODEL = Layout(
    {
        7: Kind.ONE,  # graph
        8: Kind.LIST,  # opset_import
        20: Kind.LIST,  # training_info
        25: Kind.LIST,  # functions
    }
)
OPSET = Layout({1: Kind.ONE, 2: Kind.NUMBER})  # domain, version
GRAPH = Layout(
    {
        1: Kind.LIST,  # node
        5: Kind.LIST,  # initializer
        11: Kind.LIST,  # input
        12: Kind.LIST,  # output
        13: Kind.LIST,  # value_info
        15: Kind.LIST,  # sparse_initializer
    }
)
NODE = Layout(
    {
        1: Kind.LIST,  # input
        2: Kind.LIST,  # output
        4: Kind.ONE,  # op_type
        5: Kind.LIST,  # attribute
        7: Kind.ONE,  # domain
        8: Kind.ONE,  # overload
    }
)
ATTRIBUTE = Layout(
    {
        1: Kind.ONE,  # name
        2: Kind.FLOAT,  # f
        3: Kind.NUMBER,  # i
        4: Kind.ONE,  # s
        5: Kind.ONE,  # t
        6: Kind.ONE,  # g
        7: Kind.FLOATS,  # floats
        8: Kind.NUMBERS,  # ints
        9: Kind.LIST,  # strings
        10: Kind.LIST,  # tensors
        11: Kind.LIST,  # graphs
        14: Kind.ONE,  # tp
        15: Kind.LIST,  # type_protos
        20: Kind.NUMBER,  # type
        21: Kind.ONE,  # ref_attr_name
        22: Kind.ONE,  # sparse_tensor
        23: Kind.LIST,  # sparse_tensors
    }
)
VALUE_OF_TYPE = {1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9, 9: 10, 10: 11, 11: 22, 12: 23, 13: 14, 14: 15}
"""Type of an attribute -> the field that holds its value."""
TENSOR = Layout(
    {
        1: Kind.NUMBERS,  # dims
        2: Kind.NUMBER,  # data_type
        3: Kind.ONE,  # segment
        4: Kind.FLOATS,  # float_data
        5: Kind.NUMBERS,  # int32_data
        6: Kind.LIST,  # string_data
        7: Kind.NUMBERS,  # int64_data
        8: Kind.ONE,  # name
        9: Kind.ONE,  # raw_data
        10: Kind.DOUBLES,  # double_data
        11: Kind.NUMBERS,  # uint64_data
        13: Kind.LIST,  # external_data
        14: Kind.NUMBER,  # data_location
    }
)
ENTRY = Layout({1: Kind.ONE, 2: Kind.ONE})  # key, value
VALUE_INFO = Layout({1: Kind.ONE, 2: Kind.ONE})  # name, type
TYPE = Layout(dict.fromkeys((1, 4, 5, 7, 8, 9), Kind.ONE))
"""One of the fields tensor_type (1), sequence_type, map_type, opaque_type, sparse_tensor_type and optional_type."""
TENSOR_TYPE = Layout({1: Kind.NUMBER, 2: Kind.ONE})  # elem_type, shape
SHAPE = Layout({1: Kind.LIST})  # dim
DIMENSION = Layout({1: Kind.NUMBER, 2: Kind.ONE})  # dim_value or dim_param
