// What a verb's file declares on the command line: sub-verbs, options, and what runs. A thin face
// of CLI11, with its names, so that a verb does not compile the whole of it; command.cc and
// verb.cc do.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace writ::cli {

struct Context;

// An option or a positional argument. Copies mean the same one, which the parser owns. What is
// wrong with a given value is a usage error, said before the verb runs.
class Option {
  public:
    explicit Option(CLI::Option* option) : option_(option) {}

    Option& required();
    // Not together with `other`.
    Option& excludes(const Option& other);
    // One of `values`, spelt exactly so.
    Option& one_of(std::vector<std::string> values);
    // A number from `least` to `most`, both included.
    Option& range(int least, int most);
    Option& range(double least, double most);
    // `wrong` returns what is wrong with a value, or nothing; it is shown after the option's name.
    Option& check(std::function<std::string(const std::string&)> wrong);
    // --help shows the value that the variable has now.
    Option& capture_default_str();

  private:
    CLI::Option* option_;
};

// A verb. Copies mean the same one, which the parser owns. Variables that are bound here must
// outlive the parsing and what runs after it.
class Command {
  public:
    // `context` gets the exit code of what runs.
    Command(CLI::App& app, Context& context) : app_(&app), context_(&context) {}

    Command add_subcommand(const std::string& name, const std::string& help);
    // `names` as CLI11 has them: `-n,--limit`, or a word for a positional argument. A list takes
    // the option's every value, and a positional list the rest of the arguments.
    Option add_option(const std::string& names, std::string& value, const std::string& help);
    Option add_option(const std::string& names, std::optional<std::string>& value,
                      const std::string& help);
    Option add_option(const std::string& names, std::vector<std::string>& values,
                      const std::string& help);
    Option add_option(const std::string& names, std::uint64_t& value, const std::string& help);
    Option add_option(const std::string& names, double& value, const std::string& help);
    Option add_flag(const std::string& names, bool& value, const std::string& help);

    // Without a sub-verb the line is a usage error.
    void require_subcommand();
    // All that follows the first positional argument belongs to it, options too.
    void positionals_at_end();
    // Below the options in --help.
    void footer(const std::string& text);
    // Runs when the line was parsed; what it returns is the exit code.
    void callback(std::function<int()> run);

  private:
    CLI::App* app_;
    Context* context_;
};

}  // namespace writ::cli
