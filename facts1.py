import numpy as np, keras, tensorflow as tf
L=keras.layers
texts=["The cat, sat on the mat!","a dog sat","cat cat dog the","Zebra-crossing 'quoted' x_y"]
def show(v,x): r=v(x); print(type(r).__name__, r.dtype, r.shape, r.numpy().tolist())
for kw in [dict(),dict(output_sequence_length=4),dict(max_tokens=5),dict(output_mode="multi_hot"),dict(output_mode="count"),dict(output_mode="tf_idf"),dict(output_mode="multi_hot",max_tokens=20,pad_to_max_tokens=True),dict(ngrams=2),dict(split="character"),dict(standardize="lower"),dict(standardize=None)]:
    v=L.TextVectorization(**kw); v.adapt(texts); print(kw, v.get_vocabulary()); show(v,["the cat unknown","dog"])
show(v,"the cat")
v=L.TextVectorization(output_mode="tf_idf"); v.adapt(texts)
print(v._lookup_layer.idf_weights.numpy(), v.get_vocabulary())
s=L.StringLookup(); s.adapt(np.array([["a"],["b"],["a"],["c"]])); print(s.get_vocabulary()); show(s,np.array([["a"],["z"]])); show(s,["a","z"])
s=L.StringLookup(vocabulary=["x","y"]); print(s.get_vocabulary(), s.vocabulary_size()); show(s,["x","q"])
s=L.StringLookup(vocabulary=["x","y"],mask_token=""); print(s.get_vocabulary()); show(s,["x","","q"])
s=L.StringLookup(vocabulary=["x","y"],num_oov_indices=0); print(s.get_vocabulary()); show(s,["x","y"])
s=L.StringLookup(vocabulary=["x","y"],invert=True); print(s.get_vocabulary()); print(s([1,2,0,9]))
for m in ("one_hot","multi_hot","count"):
    s=L.StringLookup(vocabulary=["x","y"],output_mode=m); print(m); show(s,["x","q"]); show(s,np.array([["x"],["y"]])); show(s,np.array([["x","x"],["y","q"]]))
i=L.IntegerLookup(vocabulary=[10,20]); print(i.get_vocabulary()); show(i,[10,3]); 
i=L.IntegerLookup(); i.adapt(np.array([3,3,5,7,7])); print(i.get_vocabulary()); show(i,np.array([[3],[9]]))
i=L.IntegerLookup(output_mode="one_hot"); i.adapt(np.array([3,3,5,7,7])); show(i,np.array([[3],[9]])); print(i(3).shape)
d=L.Discretization(bin_boundaries=[0.,1.,2.]); show(d,np.array([[-1.,0.,.5,1.,2.5]]))
d=L.Discretization(num_bins=4); d.adapt(np.random.default_rng(0).normal(size=500)); print(d.bin_boundaries)
d=L.Discretization(bin_boundaries=[0.,1.,2.],output_mode="one_hot"); show(d,np.array([[-1.],[.5]]))
n=L.Normalization(); n.adapt(np.arange(12.).reshape(4,3)); print(n.mean.numpy(), n.variance.numpy()); show(n,np.arange(3.)[None])
print([w.name for w in n.weights])
n=L.Normalization(axis=None); n.adapt(np.arange(12.)); print(n.mean.numpy(), n.variance.numpy(), n.mean.shape)
