// `iohops schema`: the JSON Schema of a trace.

#include "sinks/schema.hpp"
#include "cli/grammar.hpp"
#include "cli/run.hpp"
#include "cli/subcommand.hpp"

namespace iohops {

Finish declare_schema(CLI::App& app) {
  describe(app, "print the JSON Schema of traces", "",
           "It describes one line of the JSON Lines form, and the document form. Readers must "
           "ignore fields\nthat they do not know: minor versions of the format add some.");
  return [](const Surroundings&) -> Result<Invocation> { return Invocation(SchemaOptions{}); };
}

Result<int> run_schema(const SchemaOptions&) { return print(json_schema()); }

}  // namespace iohops
