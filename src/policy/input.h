// Arguments as a Cedar record, typed by a tool's shape.
#pragma once

#include "base/error.h"
#include "cedar/cedar.h"
#include "json/value.h"
#include "policy/shape.h"

namespace writ::policy {

// Errors: kInvalid naming the argument's path, for a value that the shape does not allow or that
// has no exact Cedar form. Cost: linear in the arguments.
Result<cedar::Value> input_value(const json::Value& arguments, const Shape& shape);

}  // namespace writ::policy
