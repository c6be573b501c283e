// kernels.cu - all kernels as one text, for one PTX.
#include "rows.cu"
#include "norm.cu"
#include "dequant.cu"
#include "head.cu"
#include "attention.cu"
