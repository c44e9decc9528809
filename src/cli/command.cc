#include "cli/command.h"

#include <utility>

#include <CLI/CLI.hpp>

#include "cli/verb.h"

namespace writ::cli {

Option& Option::required() {
    option_->required();
    return *this;
}

Option& Option::excludes(const Option& other) {
    option_->excludes(other.option_);
    return *this;
}

Option& Option::one_of(std::vector<std::string> values) {
    option_->check(CLI::IsMember(std::move(values)));
    return *this;
}

Option& Option::range(int least, int most) {
    option_->check(CLI::Range(least, most));
    return *this;
}

Option& Option::range(double least, double most) {
    option_->check(CLI::Range(least, most));
    return *this;
}

Option& Option::check(std::function<std::string(const std::string&)> wrong) {
    option_->check(std::move(wrong));
    return *this;
}

Option& Option::capture_default_str() {
    option_->capture_default_str();
    return *this;
}

Command Command::add_subcommand(const std::string& name, const std::string& help) {
    return {*app_->add_subcommand(name, help), *context_};
}

Option Command::add_option(const std::string& names, std::string& value, const std::string& help) {
    return Option(app_->add_option(names, value, help));
}

Option Command::add_option(const std::string& names, std::optional<std::string>& value,
                           const std::string& help) {
    return Option(app_->add_option(names, value, help));
}

Option Command::add_option(const std::string& names, std::vector<std::string>& values,
                           const std::string& help) {
    return Option(app_->add_option(names, values, help));
}

Option Command::add_option(const std::string& names, std::uint64_t& value,
                           const std::string& help) {
    return Option(app_->add_option(names, value, help));
}

Option Command::add_option(const std::string& names, double& value, const std::string& help) {
    return Option(app_->add_option(names, value, help));
}

Option Command::add_flag(const std::string& names, bool& value, const std::string& help) {
    return Option(app_->add_flag(names, value, help));
}

void Command::require_subcommand() {
    app_->require_subcommand(1);
}

void Command::positionals_at_end() {
    app_->positionals_at_end();
}

void Command::footer(const std::string& text) {
    app_->footer(text);
}

void Command::callback(std::function<int()> run) {
    app_->callback([context = context_, run = std::move(run)] { context->exit_code = run(); });
}

}  // namespace writ::cli
