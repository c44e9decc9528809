// The one binary.
#include "cli/verb.h"

int main(int argc, char** argv) {
    return writ::cli::main(argc, argv);
}
