#!/bin/bash
cmake -GNinja -DCMAKE_INSTALL_PREFIX=$PREFIX .
if true; then
    ninja install
fi
