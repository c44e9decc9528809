# cmake -DBUILD=… -DSOURCE=… -DWORK=… -DCXX=… -P cedar_package.cmake: installs the Cedar package into an empty folder, builds examples/cedar outside the
# tree with nothing but it, and runs it.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGV}: ${result}\n${out}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --component cedar --prefix ${WORK}/prefix)
file(COPY ${SOURCE}/examples/cedar DESTINATION ${WORK})
run(${CMAKE_COMMAND} -S ${WORK}/cedar -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/prefix
    -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/decide)
set(expected "a1 500: allow policy0 ada-may-lend\na1 5000: allow ada-may-lend\na2 500: deny policy1\n\
a3: policy0: permit (principal, action, resource)\nwhen { context.amount <= 1000 };\n\n")
if(NOT out STREQUAL expected)
  message(FATAL_ERROR "expected:\n${expected}\ngot:\n${out}")
endif()
file(REMOVE_RECURSE ${WORK})
